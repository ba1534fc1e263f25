/** The judgement at the end of a seed: rows, ledger, dead letters and store against the truth. */
import { REASONS } from '../../workshop/oracle.ts'
import { laterName } from './finale.ts'
import { type Plan, TOPICS } from './plan.ts'
import type { Places } from './pod.ts'
import { differenceOf } from './truth.ts'
import type { World } from './world.ts'

export function judgeEnd(world: World, { clickHouse, letters, store }: Places, plan: Plan): void {
  judgeRows(world, clickHouse.rows, letters, plan)
  judgeLedger(world, clickHouse.ledger, plan)
  judgeWindows(world, clickHouse.windows, plan)
  const missing = [...world.truth.invalid].filter((key) => !letters.has(key))
  if (missing.length > 0) world.violation(`${missing.length} invalid events are in no dead letter: ${missing.slice(0, 3).join(', ')}`)
  const strange = [...letters].filter((key) => !world.truth.invalid.has(key) && !key.startsWith('refused/'))
  if (strange.length > 0) world.violation(`${strange.length} dead letters of valid events: ${strange.slice(0, 3).join(', ')}`)
  store.checkReferences('at the end')
  store.checkAfterEmptied()
  judgeFinale(world, plan)
}

/** What has happened was told. */
function judgeFinale(world: World, { finale }: Plan): void {
  if (finale === undefined) return
  const said = finale.kind === 'gap' ? 'are gone (retention)' : `topic ${finale.topic} was deleted and made again`
  if (!world.told.some((message) => message.includes(said))) world.violation(`nobody has told: ${said}`)
}

function judgeRows(world: World, rows: Places['clickHouse']['rows'], letters: ReadonlySet<string>, { poison, end }: Plan): void {
  const want = world.truth.rows
  for (const key of new Set([...rows.keys(), ...want.keys()])) {
    const [a, b] = [rows.get(key), want.get(key)]
    // When nothing comes any more, nothing is due that has not ended by the clock.
    if (a === undefined && end === 'quiet' && (b?.windowEnd ?? 0) > world.wallTime(0)) continue
    if (b !== undefined && mayLack(world, b.task, b.windowEnd) && (a?.version ?? 0) < b.version) continue
    if (b !== undefined && b.product === poison) {
      const letter = `refused/${b.task}/${b.windowStart}/${b.product}/${b.version}`
      if (a !== undefined || !letters.has(letter)) world.violation(`row ${key} is refused and not in the dead letters`)
      continue
    }
    if (a?.impressions === b?.impressions && a?.clicks === b?.clicks && a?.version === b?.version && a?.ctr === b?.ctr) continue
    const plain = (row: typeof a) => (row === undefined ? 'nothing' : `${row.impressions}+${row.clicks}`)
    world.violation(`row ${key}: ${plain(a)}, the truth is ${plain(b)}`)
  }
}

/** Events of windows far ahead may be missing when a start without a checkpoint has said so. */
function mayLack({ incomplete, truth }: World, task: number, windowEnd: number): boolean {
  return incomplete.has(task) && truth.farWindows.has(`${task}/${windowEnd}`)
}

/** The newest entry of each partition tells the whole partition. */
function judgeLedger(world: World, ledger: Places['clickHouse']['ledger'], plan: Plan): void {
  const { tasks } = plan
  const names = plan.finale === undefined ? TOPICS : new Set([...TOPICS, laterName(plan.finale)])
  for (const topic of names) {
    for (let partition = 0; partition < tasks; partition++) {
      const name = `${topic}/${partition}`
      const end = world.truth.endOf(topic, partition)
      const [newest] = [...ledger.values()]
        .filter((row) => row.topic === topic && row.partition === partition)
        .sort((a, b) => b.last - a.last)
      if (end === 0) continue
      if (newest === undefined) {
        world.violation(`${name} has no ledger`)
        continue
      }
      if (newest.last !== end - 1) world.violation(`the ledger of ${name} ends at ${newest.last}, not at ${end - 1}`)
      const { counted, late, read, invalid } = newest.totals
      const refused = Object.values(invalid).reduce((sum, count) => sum + count, 0)
      if (read !== counted + late + refused) world.violation(`the ledger of ${name} does not balance: ${JSON.stringify(newest.totals)}`)
      const whole = world.truth.ledgers.get(name)
      const reasons = Object.fromEntries(REASONS.map((reason) => [reason, whole?.invalid[reason] ?? 0]))
      const ignored = whole?.ignored ?? 0
      const want = {
        read: whole?.read ?? 0,
        counted: whole?.counted ?? 0,
        late: whole?.late ?? 0,
        invalid: { ...reasons, ignored },
        maxEventTime: undefined,
      }
      const difference = differenceOf(newest.totals, want)
      if (difference !== undefined) world.violation(`the ledger of ${name}: ${difference}`)
    }
  }
}

/** Σ rows of a window = what was counted into it. Windows that are still open when nothing comes any more are not in the ledger. */
function judgeWindows(world: World, windows: Places['clickHouse']['windows'], plan: Plan): void {
  const sums = new Map<string, number>()
  for (const { task, windowEnd, impressions, clicks } of world.truth.rows.values()) {
    const key = `${task}/${windowEnd}`
    sums.set(key, (sums.get(key) ?? 0) + impressions + clicks)
  }
  for (const [key, { events }] of windows) {
    const [task = '', end = ''] = key.split('/')
    if (mayLack(world, Number(task), Number(end)) && events < (sums.get(key) ?? 0)) continue
    if (sums.get(key) !== events) world.violation(`window ${key}: ${events} in the ledger, ${sums.get(key) ?? 0} in the rows`)
  }
  if (plan.end !== 'bounded') return
  const present = (key: string) => windows.has(key) || mayLack(world, Number(key.split('/')[0]), Number(key.split('/')[1]))
  for (const key of sums.keys()) if (!present(key)) world.violation(`window ${key} is not in the ledger`)
}
