/** `ctr run` and `ctr load` on a terminal, with a real Kafka and ClickHouse: what is seen while they work, and what stays. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { repositoryPath } from '../../workshop/child.ts'
import { into, merged, workFolder } from '../../workshop/engine-process.ts'
import { fresh } from '../../workshop/kafka-harness.ts'
import { Terminal } from '../../workshop/terminal.ts'
import { freshTopics, from } from '../support/feed.ts'
import { sharedServers } from '../support/shared-clickhouse.ts'

const { brokers, clickhouse } = await sharedServers()
const CTR = `run ${process.execPath} --disable-warning=ExperimentalWarning ${repositoryPath('src/main.ts')}`

test('a run shows what it does below its log, a load how far it is, and the summary stays', {
  timeout: 120_000,
}, async () => {
  const topics = await freshTopics(brokers, 2)
  const config = merged(from(brokers, topics), into(clickhouse, fresh('tenant')), {
    http: { port: 0 },
    window: { size: '5s' },
  })
  const cwd = workFolder()
  writeFileSync(join(cwd, 'ctr.yaml'), JSON.stringify(config))
  const load = new Terminal(`${CTR} load --rate 500 --duration 12s --invalid 5%`, { columns: 80, rows: 24, cwd })
  await load.shows('how far it is', ({ text }) => /load {2}[█▏▎▍▌▋▊▉ ]+ \d+ % {2}[\d,]+ events, 500\/s wanted/.test(text))
  const run = new Terminal(`${CTR} run`, { columns: 100, rows: 40, cwd })
  await run.shows('that it runs, and when rows come', ({ text }) => /ctr .* · running/.test(text) && /next rows {2}in \d/.test(text))
  await run.shows('its partitions', ({ text }) => text.includes(`${topics.clicks}/1`.slice(0, 20)))
  const { lines } = run.screen
  expect(lines.findIndex((line) => line.includes('health and metrics'))).toBeLessThan(lines.findIndex((line) => line.includes('· running')))
  run.type('3')
  await run.shows('why events are invalid', ({ text }) => /^ (?:TYPE|NOT_JSON|TIME_RANGE|PRODUCT)\b/m.test(text))
  expect(await load.exit()).toBe(0)
  expect(load.screen.text).not.toContain('wanted')
  expect(load.screen.text).toMatch(/^[\d,]+ events in 1\d\.\d s: \d+ events\/s$/m)
  run.type('\x03')
  expect(await run.exit()).toBe(0)
  expect(run.screen.text).toMatch(/ledger +exact/)
  expect(run.screen.text).not.toContain('next rows')
})
