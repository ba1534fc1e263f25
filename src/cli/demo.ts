/** `ctr demo`: generated events through the whole engine into an embedded ClickHouse, without a broker. */
import type { ClickHouseClient } from '@clickhouse/client'
import { connect } from '../clickhouse/connect.ts'
import type { EmbeddedClickHouse } from '../clickhouse/embedded-front.ts'
import { frontEndpoint, openEndpoint } from '../clickhouse/endpoint.ts'
import { bringEngine } from '../clickhouse/fetched-engine.ts'
import { systemClock } from '../clock.ts'
import { loadConfig } from '../config/load.ts'
import type { Config } from '../config/schema.ts'
import { mayRedraw } from '../config/terminal.ts'
import { CtrError } from '../errors.ts'
import { GENERATE_DEFAULTS } from '../load/generate.ts'
import { generatorSource } from '../load/generator-source.ts'
import { createLogger, type Logger } from '../log.ts'
import { fileOutput } from '../output/file-output.ts'
import { openLateFile } from '../output/open-output.ts'
import { DEAD_LETTERS } from '../output/output.ts'
import { privacyOf } from '../privacy/privacy.ts'
import { assemble } from '../run/assemble.ts'
import { stateLimits } from '../run/memory-plan.ts'
import { DEMO_PLACE } from './demo-place.ts'
import { startLocalPage } from './local-page.ts'
import type { DemoOptions } from './options.ts'
import { LOCAL_LATE, LOCAL_LETTERS } from './replay.ts'
import { listenForStop } from './signals.ts'
import { renderSummary } from './summary.ts'
import { sameConfig } from './verb.ts'
import type { TopProduct } from './view.ts'
import { watch } from './watch.ts'

/** Short windows, so that the first rows are there before one loses patience; `--set` overrides them. */
const DEMO_SETS = ['window.size=5s', 'time.outOfOrderness=2s', 'time.allowedLateness=5s']
/** Its events are as they are read by default, whatever a configuration says of others. */
const DEMO_EVENTS = ['events={}', 'kafka.topics=[impressions, clicks]']
const PARTITIONS = 4
const LATE_SHARE = 0.01
const INVALID_SHARE = 0.001

/** Runs the verb; returns the exit code. */
export async function demoVerb(options: DemoOptions): Promise<number> {
  const config = loadConfig({ file: options.config, sets: [...DEMO_PLACE, ...DEMO_SETS, ...options.set, ...DEMO_EVENTS] })
  if (config.clickhouse.url !== undefined) {
    const remedy = 'leave clickhouse.url out; `ctr load` makes events for a pipeline that writes to a server'
    throw new CtrError('CTR_USAGE', `ctr demo writes made-up products, and to no server; ${remedy}`)
  }
  stateLimits(config) // These throw before anything is opened.
  privacyOf(config)
  const log = createLogger({ ...config.log, level: 'error' })
  await bringEngine((message) => void process.stderr.write(`${message}\n`))
  const stop = listenForStop()
  const lettersFile = config.deadLetter.file ?? LOCAL_LETTERS
  const source = generatorSource({
    ...GENERATE_DEFAULTS,
    seed: Date.now() % 1_000_000,
    products: options.products,
    lateShare: LATE_SHARE,
    lateByMs: 2 * (config.window.size + config.time.outOfOrderness + config.time.allowedLateness),
    invalidShare: INVALID_SHARE,
    topics: 2,
    partitions: PARTITIONS,
    rate: options.rate,
    clock: systemClock,
  })
  const outputs = { deadLetters: fileOutput(lettersFile, DEAD_LETTERS, log), ...openLateFile(config.late, LOCAL_LATE, log) }
  const pipeline = assemble(config, { source, topics: ['impressions', 'clicks'], outputs, bounded: false, log })
  const started = Date.now()
  const end = () => void pipeline.drain()
  stop.signal.addEventListener('abort', end)
  const timer = options.duration === undefined ? undefined : setTimeout(end, options.duration)
  const table = topProducts(config, log)
  const server = await startLocalPage(config, pipeline, log)
  process.stdout.write(`the page: ${server.url}/ui\n\n`)
  const view = watch(pipeline, { redraw: mayRedraw(), plainEveryMs: 2000, top: table.ask })
  try {
    void pipeline.start()
    await pipeline.finished
  } finally {
    clearTimeout(timer)
    await view.close()
    await table.close()
    await server.close()
    stop.dispose()
  }
  const summary = { elapsedMs: Date.now() - started, next: nextSteps(lettersFile, sameConfig(options)) }
  process.stdout.write(`\n${renderSummary(pipeline.stats(), summary).join('\n')}\n`)
  return 0
}

/** `same` are the options that lead to the same ClickHouse. */
function nextSteps(lettersFile: string, same: string): string[] {
  return [
    `npx ctr query --demo${same} "SELECT * FROM ctr_windows ORDER BY window_start DESC, impressions DESC LIMIT 10"`,
    `head -3 ${lettersFile}`,
    'npx ctr demo --rate 500k',
    'npx ctr run --help',
  ]
}

/** The products with the most impressions of the last minutes, from ClickHouse; connects when first asked. */
function topProducts(config: Config, log: Logger): { ask(): Promise<TopProduct[]>; close(): Promise<void> } {
  let client: ClickHouseClient | undefined
  let front: EmbeddedClickHouse | undefined
  const query = `SELECT product_id AS productId, toFloat64(sum(impressions)) AS impressions, toFloat64(sum(clicks)) AS clicks
    FROM ctr_windows WHERE tenant = {tenant:String} AND window_start > now() - INTERVAL 10 MINUTE
    GROUP BY product_id ORDER BY impressions DESC, product_id LIMIT 10`
  return {
    async ask() {
      if (client === undefined) {
        const opened = await openEndpoint(config.clickhouse, log, (address) => {
          void client?.close()
          client = connect({ ...opened.endpoint, ...frontEndpoint(address) }, opened.endpoint.database)
        })
        front = opened.front
        client = connect(opened.endpoint, opened.endpoint.database)
      }
      const answer = await client.query({ query, format: 'JSONEachRow', query_params: { tenant: config.tenant } })
      return answer.json<TopProduct>()
    },
    async close() {
      await client?.close()
      front?.close()
    },
  }
}
