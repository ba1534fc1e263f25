/** `ctr letters`: what lies in the dead letters, and their records back into their topics. */
import { hostname, userInfo } from 'node:os'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { distance } from 'fastest-levenshtein'
import { eventsConfigOf } from '../config/events-section.ts'
import { loadConfig } from '../config/load.ts'
import { maskKeys } from '../config/mask-keys.ts'
import type { Config } from '../config/schema.ts'
import { CtrError } from '../errors.ts'
import { type FoundLetter, isChosen, LETTER_REASONS, type LetterChoice, rawBytes, shownLetter } from '../letters/letter.ts'
import { type Mend, type RetryOutcome, retryLetters } from '../letters/retry.ts'
import { type LetterPlace, type LetterStream, placeOfLetters, readLetters } from '../letters/source.ts'
import { createLogger } from '../log.ts'
import { codeOf } from '../output/dead-letter.ts'
import { masksHolding } from '../privacy/mask.ts'
import { type Privacy, privacyOf } from '../privacy/privacy.ts'
import { clientOptions } from '../run/clients.ts'
import { clip, formatCount, visible } from '../text.ts'
import type { LettersOptions, ListLettersOptions, RetryLettersOptions } from './options.ts'
import { renderTable } from './table.ts'

type Write = (text: string) => void

const toStdout: Write = (text) => void process.stdout.write(text)
const DATA_SHOWN = 60

/** What a verb reads, and how it is chosen. */
interface Opened {
  readonly config: Config
  readonly place: LetterPlace
  readonly choice: LetterChoice
  readonly letters: LetterStream
  readonly privacy: Privacy | undefined
}

function open(options: LettersOptions): Opened {
  const config = loadConfig({ file: options.config, sets: options.set })
  const key = options.late === true ? 'late' : 'deadLetter'
  const place = { key, topic: config[key].topic, file: config[key].file } as const
  const { topic, since, until, holding } = options
  const logger = createLogger({ ...config.log, level: 'warn' })
  const letters = readLetters(place, () => clientOptions(config, logger))
  return {
    config,
    place,
    privacy: privacyOf(config),
    choice: {
      reasons: options.reason?.map(reasonNamed),
      topic,
      since,
      until,
      holding: holding === undefined ? undefined : textsOf(holding, config),
    },
    letters,
  }
}

/** How a value may stand in a letter: as it is, as JSON writes it, and by the masks of all keys. */
function textsOf(value: string, config: Config): string[] {
  return [value, JSON.stringify(value).slice(1, -1), ...masksHolding(value, maskKeys(config))]
}

/** A mistyped reason must not look like no letters. */
function reasonNamed(text: string): string {
  const known = [...new Set([...LETTER_REASONS, ...LETTER_REASONS.map(codeOf)])]
  const found = known.find((name) => name === text.toUpperCase())
  if (found !== undefined) return found
  const near = known.toSorted((a, b) => distance(a, text.toUpperCase()) - distance(b, text.toUpperCase())).slice(0, 3)
  throw new CtrError('CTR_USAGE', `--reason ${text}: no such reason, but ${near.join(', ')}; \`ctr explain reasons\` lists them`)
}

/** Each letter that is chosen; gives how many records are none. */
async function each({ letters, choice, privacy }: Opened, take: (found: FoundLetter) => void): Promise<number> {
  let others = 0
  for await (const found of letters) {
    if (found === undefined) others++
    else if (isChosen(found, choice)) take(shownLetter(found, privacy))
  }
  return others
}

/** `ctr letters list`; returns the exit code. Throws CtrError. */
export async function listLetters(options: ListLettersOptions, write = toStdout): Promise<number> {
  const opened = open(options)
  let newest: FoundLetter[] = []
  let count = 0
  const others = await each(opened, (found) => {
    count++
    newest.push(found)
    if (newest.length >= 2 * options.limit) newest = newestOf(newest, options.limit)
  })
  newest = newestOf(newest, options.limit)
  if (options.json === true) {
    write(newest.map(({ place, reason, letter }) => `${JSON.stringify({ place, reason, ...letter })}\n`).join(''))
    return 0
  }
  const columns = [{ name: 'place' }, { name: 'written' }, { name: 'reason' }, { name: 'record' }, { name: 'data' }]
  const rows = newest.map(({ place, reason, letter }) => {
    const record = letter.rawTopic === '' ? '' : `${letter.rawTopic}/${letter.partition} ${letter.offset}`
    return [place, letter.createdAtUtc, reason, record, clip(letter.rawData, DATA_SHOWN)].map((text) =>
      visible(text).replaceAll(/\s/g, ' '),
    )
  })
  const told = `${formatCount(newest.length)} of ${formatCount(count)} letters in ${placeOfLetters(opened.place)}${othersText(others)}`
  write([...renderTable(columns, rows), told, ''].join('\n'))
  return 0
}

function newestOf(letters: readonly FoundLetter[], limit: number): FoundLetter[] {
  const writtenAt = ({ letter }: FoundLetter) => Date.parse(letter.createdAtUtc)
  return letters.toSorted((a, b) => writtenAt(b) - writtenAt(a)).slice(0, limit)
}

function othersText(others: number): string {
  return others === 0 ? '' : `; ${formatCount(others)} records there are no letters`
}

/** `ctr letters show`; returns the exit code. Throws CtrError. */
export async function showLetter(wanted: string, options: LettersOptions, write = toStdout): Promise<number> {
  const opened = open(options)
  for await (const found of opened.letters) {
    if (found?.place !== wanted) continue
    const { place, reason, letter } = shownLetter(found, opened.privacy)
    if (options.json === true) {
      write(`${JSON.stringify({ place, reason, ...letter }, null, 2)}\n`)
      return 0
    }
    const { rawData, ...facts } = letter
    const lines = Object.entries({ place, reason, ...facts }).map(([name, value]) => `${name.padEnd(18)} ${visible(String(value))}`)
    const data = letter.rawEncoding === 'utf8' ? visible(rawData) : hexLines(rawBytes(letter)).join('\n')
    write([...lines, '', data, '', `ctr explain ${reason} says what to do about it`, ''].join('\n'))
    return 0
  }
  throw new CtrError('CTR_USAGE', `${wanted}: there is no letter in ${placeOfLetters(opened.place)}; \`ctr letters list\` has their places`)
}

function hexLines(bytes: Buffer): string[] {
  return Array.from({ length: Math.ceil(bytes.length / 16) }, (_, i) => {
    const row = bytes.subarray(i * 16, i * 16 + 16)
    const text = row.toString('latin1').replaceAll(/[^ -~]/g, '.')
    return `${(i * 16).toString(16).padStart(8, '0')}  ${(row.toString('hex').match(/../g) ?? []).join(' ').padEnd(47)}  ${text}`
  })
}

/** `ctr letters stats`; returns the exit code. Throws CtrError. */
export async function letterStats(options: LettersOptions, write = toStdout): Promise<number> {
  const opened = open(options)
  const groups = new Map<string, { reason: string; topic: string; letters: number; first: string; last: string }>()
  let count = 0
  const others = await each(opened, ({ reason, letter }) => {
    count++
    const key = `${reason} ${letter.rawTopic}`
    const at = letter.createdAtUtc
    const group = groups.get(key) ?? { reason, topic: letter.rawTopic, letters: 0, first: at, last: at }
    group.letters++
    if (at < group.first) group.first = at
    if (at > group.last) group.last = at
    groups.set(key, group)
  })
  const all = [...groups.values()].toSorted((a, b) => b.letters - a.letters)
  if (options.json === true) {
    write(`${JSON.stringify({ place: placeOfLetters(opened.place), letters: count, others, groups: all }, null, 2)}\n`)
    return 0
  }
  const columns = [{ name: 'reason' }, { name: 'topic' }, { name: 'letters', right: true }, { name: 'first' }, { name: 'last' }]
  const rows = all.map(({ reason, topic, letters, first, last }) => [reason, visible(topic), formatCount(letters), first, last])
  const told = `${formatCount(count)} letters in ${placeOfLetters(opened.place)}${othersText(others)}`
  write([...renderTable(columns, rows), told, ''].join('\n'))
  return 0
}

/** `ctr letters retry`; returns the exit code: 1 when some that are chosen can't be put back. Throws CtrError. */
export async function retryVerb(options: RetryLettersOptions, write = toStdout): Promise<number> {
  const { config, place, choice, letters } = open(options)
  const { map, into, limit = Number.POSITIVE_INFINITY, dryRun = false, perTransaction, json = false } = options
  const progressTopic = options.progress ?? `${place.topic ?? `${config.kafka.groupId}-${place.key}`}-retried`
  const outcome = await retryLetters(
    letters,
    clientOptions(config, createLogger({ ...config.log, level: 'warn' })),
    {
      choice,
      limit,
      into,
      topics: config.kafka.topics.map(({ name }) => name),
      timedByRecord: timedByRecord(config),
      progressTopic,
      mend: map === undefined ? undefined : await mendOf(map),
      perTransaction,
      by: `${userInfo().username}@${hostname()}`,
      dryRun,
    },
    (done, all) => {
      if (!dryRun && !json) process.stderr.write(`ctr letters retry: ${formatCount(done)} of ${formatCount(all)} records\n`)
    },
  )
  write(json ? outcomeJson(outcome, progressTopic, dryRun) : `${outcomeLines(outcome, progressTopic, dryRun).join('\n')}\n`)
  return outcome.not.size === 0 ? 0 : 1
}

/** The topics whose events have their record's time. */
function timedByRecord({ kafka, events }: Config): string[] {
  return kafka.topics.filter((topic) => eventsConfigOf(events, topic.events).time.source === 'record').map(({ name }) => name)
}

async function mendOf(file: string): Promise<Mend> {
  let module: { default?: unknown }
  try {
    module = (await import(pathToFileURL(resolve(file)).href)) as { default?: unknown }
  } catch (cause) {
    throw new CtrError('CTR_USAGE', `--map ${file}: it can not be loaded: ${(cause as Error).message}`, { cause })
  }
  if (typeof module.default === 'function') return module.default as Mend
  throw new CtrError('CTR_USAGE', `--map ${file}: its default export is no function; \`ctr letters retry --help\` shows one`)
}

function outcomeJson({ not, into, ...counts }: RetryOutcome, progressTopic: string, dryRun: boolean): string {
  return `${JSON.stringify({ dryRun, progressTopic, ...counts, not: Object.fromEntries(not), into: Object.fromEntries(into) }, null, 2)}\n`
}

function outcomeLines(outcome: RetryOutcome, progressTopic: string, dryRun: boolean): string[] {
  const { letters, before, again, leftOut, beyond, not, into } = outcome
  const line = (count: number, what: string) => (count === 0 ? [] : [`  ${formatCount(count).padStart(12)}  ${what}`])
  return [
    `${formatCount(letters)} letters are chosen`,
    ...[...into].flatMap(([topic, count]) => line(count, `${dryRun ? 'records would go' : 'records are'} back in ${visible(topic)}`)),
    ...line(before, `records were put back before, as ${progressTopic} says`),
    ...line(again, 'letters are about a record that another one is about'),
    ...line(leftOut, '--map leaves out'),
    ...line(beyond, 'records are beyond --limit'),
    ...[...not].flatMap(([why, count]) => line(count, `can not be put back: ${why}`)),
  ]
}
