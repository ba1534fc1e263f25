/** What can be wrong with the topics as a whole, in the words of a start and of `ctr doctor` alike. */
import { distance } from 'fastest-levenshtein'
import { CtrError } from '../errors.ts'

const NEAREST_MAX = 3
/** So many topics are named when none is near. */
const NAMED_MAX = 10

/** Topics that are not among those that are `there`. */
export function missingTopics(missing: readonly string[], brokers: readonly string[], there: readonly string[]): CtrError {
  const where = `kafka.topics ${missing.join(', ')}: no such topic at kafka.brokers ${brokers.join(', ')}`
  const remedy = 'create it, all topics with the same number of partitions, or correct kafka.topics'
  return new CtrError('CTR_KAFKA_TOPIC_MISSING', `${where}${insteadOf(missing, there)}; ${remedy}`, { retriable: true })
}

/** The topics that may have been meant, or all when they are few, in words; '' when there is nothing to propose. */
export function insteadOf(missing: readonly string[], there: readonly string[]): string {
  const own = there.filter((topic) => !topic.startsWith('__')).toSorted()
  const near = missing.flatMap((topic) => nearest(topic, own))
  if (near.length > 0) return `, but ${[...new Set(near)].join(', ')}`
  if (own.length === 0) return ', and none at all'
  return own.length > NAMED_MAX ? '' : `; there ${own.length === 1 ? 'is' : 'are'} ${own.join(', ')}`
}

function nearest(topic: string, there: readonly string[]): string[] {
  const plain = (name: string) => name.toLowerCase().replaceAll(/[._-]/g, '')
  const lettersMax = Math.max(2, Math.floor(topic.length / 4))
  const ranked = there.flatMap((name) => {
    const [a, b] = [plain(topic), plain(name)]
    const letters = b.includes(a) || a.includes(b) ? 1 : distance(a, b)
    return letters <= lettersMax ? [{ name, letters }] : []
  })
  return ranked
    .toSorted((a, b) => a.letters - b.letters)
    .slice(0, NEAREST_MAX)
    .map(({ name }) => name)
}

/** What is wrong with how many partitions topics have, and what to do; undefined when nothing is. */
export function partitionsDiffer(counts: ReadonlyMap<string, number>): { readonly found: string; readonly remedy: string } | undefined {
  if (new Set(counts.values()).size <= 1) return undefined
  const found = [...counts].map(([topic, count]) => `${topic} has ${count}`).join(', ')
  const why = 'partition i of every topic is read together, so they should have as many, and be keyed alike'
  return {
    found: `kafka.topics differ in their number of partitions: ${found}; ${why}`,
    remedy: 'add partitions to those that have fewer, or set kafka.onUnequalPartitions to read',
  }
}
