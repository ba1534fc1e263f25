/**
 * `ctr selftest`: proof on a user's own Kafka and ClickHouse. Generated events flow into topics of its own, pipelines count them and are
 * killed at random moments, and in the end every row is compared with what a plain program makes of all the records. It takes away
 * whatever it has made, also when it fails or is interrupted.
 */
import { randomBytes } from 'node:crypto'
import { CtrError } from '../errors.ts'
import { createLogger } from '../log.ts'
import { selftestPods } from '../selftest/pods.ts'
import { runSelftest } from '../selftest/run.ts'
import { prepareStand, type Stand } from '../selftest/stand.ts'
import type { SelftestOptions } from './options.ts'
import { openProgress } from './progress.ts'
import { renderVerdict } from './selftest-view.ts'
import { listenForStop } from './signals.ts'

const PODS_MAX = 3

/** Runs the verb; gives the exit code. */
export async function selftestVerb(options: SelftestOptions): Promise<number> {
  const { pods: count, partitions } = options
  if (count > PODS_MAX) throw new CtrError('CTR_USAGE', `--pods ${count}: at most ${PODS_MAX} processes`)
  if (count > partitions) throw new CtrError('CTR_USAGE', `--pods ${count}: at most one for each of the ${partitions} --partitions`)
  const progress = openProgress(options)
  const say = (line: string) => progress.say(`ctr selftest: ${line}`)
  const log = createLogger({ level: 'error' }, progress.log)
  const stop = listenForStop()
  const pods = selftestPods()
  stop.signal.addEventListener('abort', () => {
    if (progress.shown) say('stopping: what was made is taken away first; Ctrl-C again ends it at once, and leaves it behind')
    void pods.close()
  })
  let stand: Stand | undefined
  let left: string[] = []
  let passed = false
  try {
    const id = randomBytes(4).toString('hex')
    stand = await prepareStand({ file: options.config, sets: options.set, id, partitions, log })
    say(`topics, group and database ${stand.name}`)
    const verdict = await runSelftest({
      stand,
      pods,
      options,
      log,
      signal: stop.signal,
      say,
      onStep: (stepNow) => progress.follow(stepNow),
    })
    progress.end()
    const lines = options.json === true ? [JSON.stringify(verdict, null, 2)] : renderVerdict(verdict)
    process.stdout.write(`${lines.join('\n')}\n`)
    passed = verdict.passed
  } catch (error) {
    if (!stop.signal.aborted) throw error
    say('interrupted: there is no verdict')
  } finally {
    await pods.close()
    left = (await stand?.close()) ?? []
    for (const one of left) say(`LEFT BEHIND ${one}`)
    progress.end()
    stop.dispose()
  }
  return passed && left.length === 0 ? 0 : 1
}
