/**
 * A migration of a large database of version 1, under inserts and readers, killed at each of its steps:
 *
 *   node perf/migration.ts [--rows 20_000_000] [--products 5000] [--rate 5000] [--once] [--json FILE]
 *
 * Two databases of version 1 have the same rows, and an engine's inserts go into both. On one `ctr schema apply` is started again and
 * again, and ended by SIGKILL when it comes to a step for the first time; once ClickHouse itself is. With --once nothing is killed. Readers
 * ask the views meanwhile for what does not change, and for what was acknowledged. In the end no row of any view may differ.
 */
import { ClickHouseError } from '@clickhouse/client'
import { readFrontAddress } from '../src/clickhouse/front-address.ts'
import { sleep } from '../src/clock.ts'
import { RollUpJob } from '../src/tables/roll-up-job.ts'
import { formatBytes, formatCount } from '../src/text.ts'
import { startChild } from '../workshop/child.ts'
import { LastingClickHouse } from '../workshop/lasting-clickhouse.ts'
import { makeOldTables } from '../workshop/old-tables.ts'
import { scriptOptions } from '../workshop/options.ts'
import { conclude, place, table } from '../workshop/report.ts'
import { runScript } from '../workshop/stand.ts'
import { plainForm } from '../workshop/tables.ts'

const options = scriptOptions('perf/migration.ts', { rows: 20_000_000, products: 5000, rate: 5000, once: false, json: '' })

const [OLD, NEW] = ['untouched', 'migrated']
const WINDOW_SECONDS = 10
const CHUNK_ROWS = 1_000_000
const INSERTS_PER_SECOND = 5
/** Products that readers look at. */
const LOOKED_AT = "product_id IN ('p1', 'p2', 'p3')"
const LIVES_MAX = 60
const READ_PAUSE_MS = 1000
/** A statement is under way so soon after it was announced. */
const KILL_AFTER_MS = 60

/** A view, what of its rows is compared, and how it is asked for rows that nobody changes. */
const VIEWS = [
  { view: 'ctr_windows', columns: 'tenant, product_id, window_start, window_end, impressions, clicks' },
  { view: 'ctr_latest', columns: 'tenant, product_id, window_start, window_end, impressions, clicks' },
  { view: 'ctr_minutely', columns: 'tenant, product_id, minute, impressions, clicks' },
  { view: 'ctr_hourly', columns: 'tenant, product_id, hour, impressions, clicks' },
] as const

/** Of one `ctr schema apply`. */
interface Life {
  readonly killedAt: string
  readonly seconds: number
}

async function main(clickhouse: LastingClickHouse): Promise<number> {
  const filled = performance.now()
  await fill(clickhouse)
  process.stderr.write(`two databases of ${formatCount(options.rows)} rows after ${seconds(filled)} s\n`)
  const [size] = await clickhouse.rows<{ bytes: number }>(
    `SELECT sum(bytes_on_disk) AS bytes FROM system.parts WHERE active AND database = '${NEW}'`,
  )
  const load = new Load(clickhouse)
  const readers = new Readers(clickhouse, load)
  await readers.learn()
  const over = new AbortController()
  const beside = [load.run(over.signal), readers.run(over.signal)]
  const migrated = performance.now()
  const lives = await migrate(clickhouse)
  const migrationSeconds = seconds(migrated)
  over.abort()
  await Promise.all(beside)
  await refresh(clickhouse)
  const differing = await compare(clickhouse)
  const diff = await ctr(clickhouse, ['schema', 'diff'])
  const faults = [
    ...readers.faults,
    ...Object.entries(differing).flatMap(([view, rows]) => (rows === 0 ? [] : [`${rows} rows of ${view} differ`])),
    ...(diff.code === 0 ? [] : [`ctr schema diff: ${diff.stdout}`]),
  ]
  const report = {
    place: place(),
    options,
    bytes: size?.bytes ?? 0,
    migrationSeconds,
    lives,
    rowsInserted: load.rows,
    insertsFailed: load.failed,
    answers: readers.answers,
    away: readers.away,
    differing,
    faults,
  }
  return conclude(report, render(report), options.json)
}

/** Rows of one tenant, that nobody writes to later: every product has every window up to an hour ago. */
async function fill(clickhouse: LastingClickHouse): Promise<void> {
  await makeOldTables(clickhouse, NEW, 1, false)
  await makeOldTables(clickhouse, OLD, 1, false)
  const last = Math.floor(Date.now() / 1000 / WINDOW_SECONDS) * WINDOW_SECONDS - 3600
  const windows = Math.ceil(options.rows / options.products)
  for (let from = 0; from < options.rows; from += CHUNK_ROWS) {
    await clickhouse.command(`INSERT INTO ${NEW}.ctr_results
        (tenant, product_id, window_start, window_end, task, impressions, clicks, ctr, version, emitted_at, inserted_at)
      SELECT 'base', concat('p', toString(number % ${options.products})),
        toDateTime64(${last} - (${windows} - intDiv(number, ${options.products})) * ${WINDOW_SECONDS}, 3, 'UTC') AS start,
        start + INTERVAL ${WINDOW_SECONDS} SECOND AS end, number % 4, cityHash64(number) % 50 AS i, intDiv(i, 9) AS c,
        if(i = 0, 0, c / i), i + c,
        end + INTERVAL 1 SECOND, end + INTERVAL 2 SECOND
      FROM numbers(${from}, ${Math.min(CHUNK_ROWS, options.rows - from)})`)
  }
  // Some are there twice.
  await clickhouse.command(`INSERT INTO ${NEW}.ctr_results SELECT * FROM ${NEW}.ctr_results WHERE cityHash64(product_id) % 50 = 0`)
  for (const level of ['minutely', 'hourly']) {
    await clickhouse.command(`SYSTEM REFRESH VIEW ${NEW}.ctr_${level}_refresh`)
    await clickhouse.command(`SYSTEM WAIT VIEW ${NEW}.ctr_${level}_refresh`)
    await clickhouse.command(`SYSTEM STOP VIEW ${OLD}.ctr_${level}_refresh`)
  }
  for (const name of ['ctr_results', 'ctr_minutely_computed', 'ctr_hourly_computed']) {
    await clickhouse.command(`TRUNCATE TABLE ${OLD}.${name}`)
    await clickhouse.command(`ALTER TABLE ${OLD}.${name} ATTACH PARTITION ALL FROM ${NEW}.${name}`)
  }
}

/** What an engine of version 1 writes, into both. */
class Load {
  rows = 0
  failed = 0
  readonly #clickhouse: LastingClickHouse

  constructor(clickhouse: LastingClickHouse) {
    this.#clickhouse = clickhouse
  }

  async run(over: AbortSignal): Promise<void> {
    const rows = Math.max(1, Math.round(options.rate / INSERTS_PER_SECOND))
    for (let i = 0; !over.aborted; i++) {
      const ms = Math.floor(Date.now() / 1000 / WINDOW_SECONDS) * WINDOW_SECONDS * 1000
      await this.#insert(NEW, i, ms, rows)
      this.rows += rows
      await this.#insert(OLD, i, ms, rows)
      await sleep(1000 / INSERTS_PER_SECOND, over)
    }
  }

  /** Again and again, as the engine does: nothing is given up. */
  async #insert(database: string, i: number, ms: number, rows: number): Promise<void> {
    for (;;) {
      try {
        return await this.#clickhouse.command(`INSERT INTO ${database}.ctr_results
            (tenant, product_id, window_start, window_end, task, impressions, clicks, ctr, version, emitted_at)
          SELECT 'load', concat('p', toString(number)), fromUnixTimestamp64Milli(${ms}, 'UTC'),
            fromUnixTimestamp64Milli(${ms + WINDOW_SECONDS * 1000}, 'UTC'), ${i}, 1, 1, 1, 2, now64(3) FROM numbers(${rows})`)
      } catch {
        this.failed++
        await sleep(200)
      }
    }
  }
}

/** Whether readers see what they must, all the time. */
class Readers {
  answers = 0
  /** Questions that found no ClickHouse: it was killed. */
  away = 0
  readonly faults: string[] = []
  readonly #clickhouse: LastingClickHouse
  readonly #load: Load
  readonly #known = new Map<string, string>()

  constructor(clickhouse: LastingClickHouse, load: Load) {
    this.#clickhouse = clickhouse
    this.#load = load
  }

  async learn(): Promise<void> {
    for (const { view, columns } of VIEWS) this.#known.set(view, await this.#look(view, columns))
  }

  async run(over: AbortSignal): Promise<void> {
    while (!over.aborted) {
      for (const { view, columns } of VIEWS) {
        await this.#ask(view, async () => {
          const [seen, known] = [await this.#look(view, columns), this.#known.get(view)]
          return seen === known ? undefined : `showed ${seen} where ${known} belongs`
        })
      }
      await this.#ask('ctr_windows', async () => {
        const least = this.#load.rows
        const [seen] = await this.#clickhouse.rows<{ clicks: number }>(
          `SELECT sum(clicks) AS clicks FROM ${NEW}.ctr_windows WHERE tenant = 'load'`,
        )
        return Number(seen?.clicks) >= least ? undefined : `showed ${seen?.clicks} of ${least} clicks that were acknowledged`
      })
      await sleep(READ_PAUSE_MS, over)
    }
  }

  async #look(view: string, columns: string): Promise<string> {
    const sql = `SELECT count() AS rows, toString(sum(cityHash64(${columns}))) AS digest FROM ${NEW}.${view}
      WHERE tenant = 'base' AND ${LOOKED_AT}`
    return JSON.stringify((await this.#clickhouse.rows(sql))[0])
  }

  async #ask(view: string, question: () => Promise<string | undefined>): Promise<void> {
    try {
      const fault = await question()
      this.answers++
      if (fault !== undefined) this.faults.push(`${view} ${fault}`)
    } catch (error) {
      if (error instanceof ClickHouseError) this.faults.push(`${view}: ${error.message.slice(0, 300)}`)
      else this.away++
      await sleep(100)
    }
  }
}

/** Applies, killed when a step is there for the first time, until it is done. */
async function migrate(clickhouse: LastingClickHouse): Promise<Life[]> {
  const lives: Life[] = []
  const seen = new Set<string>()
  let serverKilled = false
  while (lives.length < LIVES_MAX) {
    const begun = performance.now()
    let killedAt = ''
    const child = startChild('bin/ctr.js', ['schema', 'apply', ...sets(clickhouse)], {
      folder: clickhouse.folder,
      onErrorLine: (line) => {
        process.stderr.write(`  ${line}\n`)
        const step = /^(.*?): .* \(\d+ of \d+/.exec(line)?.[1]
        if (step === undefined || seen.has(step) || killedAt !== '' || options.once) return
        seen.add(step)
        killedAt = step
        setTimeout(() => child.process.kill('SIGKILL'), KILL_AFTER_MS)
        if (serverKilled || !/copy what is in ctr_results/.test(step)) return
        serverKilled = true
        const { pid } = readFrontAddress(clickhouse.directory) ?? {}
        if (pid !== undefined) setTimeout(() => process.kill(pid, 'SIGKILL'), KILL_AFTER_MS)
      },
    })
    const { code, stderr } = await child.ended
    lives.push({ killedAt, seconds: seconds(begun) })
    if (code === 0) return lives
    if (killedAt === '') throw new Error(`ctr schema apply ended with ${code}:\n${stderr.join('\n')}`)
  }
  throw new Error(`ctr schema apply is not done after ${LIVES_MAX} lives`)
}

/** Brings the roll-ups of both up to date. */
async function refresh(clickhouse: LastingClickHouse): Promise<void> {
  for (const level of ['minutely', 'hourly']) {
    await clickhouse.command(`SYSTEM START VIEW ${OLD}.ctr_${level}_refresh`)
    await clickhouse.command(`SYSTEM REFRESH VIEW ${OLD}.ctr_${level}_refresh`)
    await clickhouse.command(`SYSTEM WAIT VIEW ${OLD}.ctr_${level}_refresh`)
  }
  const client = clickhouse.connect(NEW)
  const { failed } = await new RollUpJob(client, plainForm(NEW)).runAll(new AbortController().signal)
  await client.close()
  if (failed.length > 0) throw new Error(failed.map(({ view, reason }) => `${view}: ${reason}`).join('; '))
}

/** How many rows are in one of the two and not in the other, by view. */
async function compare(clickhouse: LastingClickHouse): Promise<Record<string, number>> {
  const differing: Record<string, number> = {}
  for (const { view, columns } of VIEWS) {
    const digest = async (database: string) =>
      JSON.stringify(
        await clickhouse.rows(`SELECT count() AS rows, toString(sum(cityHash64(${columns}))) AS digest FROM ${database}.${view}`),
      )
    differing[view] = 0
    if ((await digest(OLD)) === (await digest(NEW))) continue
    const both = [OLD, NEW].map((database) => `SELECT ${columns} FROM ${database}.${view}`).join(' UNION ALL ')
    const [found] = await clickhouse.rows<{ rows: number }>(
      `SELECT count() AS rows FROM (SELECT 1 FROM (${both}) GROUP BY ${columns} HAVING count() != 2)
        SETTINGS max_bytes_before_external_group_by = 1000000000`,
    )
    differing[view] = Number(found?.rows)
  }
  return differing
}

function ctr(clickhouse: LastingClickHouse, words: readonly string[]) {
  return startChild('bin/ctr.js', [...words, ...sets(clickhouse)], { folder: clickhouse.folder }).ended
}

function sets({ directory }: LastingClickHouse): string[] {
  return ['--set', `clickhouse.embedded=${directory}`, '--set', `clickhouse.database=${NEW}`, '--set', 'clickhouse.requestTimeout=10m']
}

function seconds(since: number): number {
  return Math.round((performance.now() - since) / 100) / 10
}

function render(report: {
  readonly bytes: number
  readonly migrationSeconds: number
  readonly lives: readonly Life[]
  readonly rowsInserted: number
  readonly insertsFailed: number
  readonly answers: number
  readonly away: number
  readonly differing: Readonly<Record<string, number>>
}): string {
  const killed = report.lives.filter(({ killedAt }) => killedAt !== '').length
  return [
    `${formatCount(options.rows)} rows of ${formatCount(options.products)} products, ${formatBytes(report.bytes)}: migrated in ` +
      `${report.migrationSeconds} s, killed ${killed} times`,
    `${formatCount(report.rowsInserted)} rows inserted meanwhile, ${report.insertsFailed} inserts tried again; ` +
      `${formatCount(report.answers)} answers of views, ${report.away} questions that found ClickHouse killed`,
    '',
    table(
      ['killed at', 's'],
      report.lives.map(({ killedAt, seconds: s }) => [killedAt || '(done)', s.toFixed(1)]),
    ),
    '',
    table(
      ['view', 'rows that differ'],
      Object.entries(report.differing).map(([view, rows]) => [view, String(rows)]),
    ),
  ].join('\n')
}

await runScript(() => LastingClickHouse.with(main))
