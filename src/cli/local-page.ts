/** The HTTP server of a pipeline that somebody watches while it runs (`ctr demo`, `ctr replay`): for this machine only. */
import type { Config } from '../config/schema.ts'
import { CtrError } from '../errors.ts'
import type { Logger } from '../log.ts'
import { createRegistry } from '../metrics/registry.ts'
import type { PipelineStats } from '../metrics/stats.ts'
import { startHttpServer } from '../run/http-server.ts'
import { version } from './version.ts'

/**
 * At http.port, or at a free one when that is taken: by a pipeline, most likely, which this one is to leave alone. Keeps no history.
 * `unserved`: for the view on the terminal only, which needs no port.
 */
export async function startLocalPage(config: Config, pipeline: { stats(): PipelineStats }, log: Logger, unserved = false) {
  const read = () => pipeline.stats()
  const start = (port: number) => {
    const local: Config = {
      ...config,
      http: { ...config.http, host: '127.0.0.1', port },
      checkpoint: { ...config.checkpoint, storage: 'none' },
      log: { ...config.log, level: 'error' },
    }
    return startHttpServer({ config: local, version: version(), metrics: createRegistry(read), read, savepoints: undefined, unserved, log })
  }
  try {
    return await start(config.http.port)
  } catch (error) {
    if (!(error instanceof CtrError && /is in use/.test(error.message))) throw error
    return start(0)
  }
}
