/** What a view costs the main thread: its CPU time with the thread of the HTTP server alone, and with a view drawn by it. */
import { openView } from '../../src/cli/attached.ts'
import { sleep } from '../../src/clock.ts'
import { loadConfig } from '../../src/config/load.ts'
import { createRegistry } from '../../src/metrics/registry.ts'
import { startHttpServer } from '../../src/run/http-server.ts'
import { somePartition, someStats } from '../../workshop/stats.ts'

const PARTITIONS = 64
const MEASURED_MS = Number(process.argv[2])

const config = loadConfig({ sets: ['checkpoint.storage=none', 'clickhouse.url=http://127.0.0.1:1', 'log.level=error'], env: {} })
const partitions = Array.from({ length: PARTITIONS }, (_, partition) => somePartition({ partition, read: 1000, lag: partition }))
const read = () => someStats({ partitions, rowsWritten: Date.now() % 1000 })
const view = openView({}, config.log)
const { log } = view
const server = await startHttpServer({
  config,
  version: '1',
  metrics: createRegistry(read),
  read,
  savepoints: undefined,
  unserved: true,
  log,
})

async function measured(): Promise<number> {
  await sleep(1500)
  const before = process.threadCpuUsage()
  await sleep(MEASURED_MS)
  const { user, system } = process.threadCpuUsage(before)
  return Math.round((user + system) / 1000)
}

const without = await measured()
view.follow(server, new AbortController().signal, '')
const drawn = await measured()
view.close()
await server.close()
process.stdout.write(`main took ${without} ms of CPU without the view and ${drawn} ms with it, of ${MEASURED_MS} ms\n`)
process.exit()
