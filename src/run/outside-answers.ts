/**
 * What the API answers of things outside of the engine: its tables, its checkpoints, and the configuration as people write it. Most
 * processes are never asked for any of it, so it is loaded with the first such question.
 */
import { listManifests } from '../checkpoint/manifest.ts'
import { summaryOf } from '../checkpoint/summary.ts'
import type { Clock } from '../clock.ts'
import { configValues } from '../config/print.ts'
import type { Config } from '../config/schema.ts'
import type { Logger } from '../log.ts'
import type { Api } from '../server/api.ts'
import { iso } from '../server/numbers.ts'
import { ProductNames } from '../server/product-names.ts'
import { TableQueries } from '../server/table-queries.ts'
import { openStore } from '../store/open-store.ts'
import { formOf } from '../tables/objects.ts'
import { askTables } from './ask-tables.ts'

type ApiAnswerOf<Name extends keyof Api> = Awaited<ReturnType<Api[Name]>>

/** They answer until they are closed. */
export interface OutsideAnswers {
  readonly queries: TableQueries
  checkpoints(): Promise<ApiAnswerOf<'checkpoints'>>
  config(version: string): ApiAnswerOf<'config'>
  close(): Promise<void>
}

/** Nothing is connected before the first question. */
export function outsideAnswers(config: Config, log: Logger, clock: Clock, monotonic: Clock): OutsideAnswers {
  const { ui, tenant, clickhouse, window, time } = config
  const asker = askTables(clickhouse, log, monotonic)
  const names = new ProductNames(ui.products, tenant)
  const correctedMs = time.outOfOrderness + time.allowedLateness
  return {
    queries: new TableQueries({ ask: asker.ask, form: formOf(clickhouse), tenant, names, windowMs: window.size, correctedMs }),
    checkpoints: () => checkpointsOf(config, clock),
    config: (version) => ({ at: iso(clock()), version, node: process.version, keys: configValues(config) }),
    close: () => asker.close(),
  }
}

async function checkpointsOf({ checkpoint, kafka }: Config, clock: Clock): Promise<ApiAnswerOf<'checkpoints'>> {
  const now = clock()
  const store = await openStore(checkpoint)
  const { storage } = checkpoint
  if (store === undefined) return { at: iso(now), enabled: false, storage, checkpoints: [], unreadable: [] }
  try {
    const { manifests, unreadable } = await listManifests(store, kafka.groupId)
    return {
      at: iso(now),
      enabled: true,
      storage: store.place,
      checkpoints: manifests
        .map((stored) => {
          const { bytes, ageMs: _, ...summary } = summaryOf(stored, now)
          return { ...summary, sizeBytes: bytes }
        })
        .toSorted((a, b) => b.createdAt.localeCompare(a.createdAt)),
      unreadable: unreadable.map(({ key }) => key),
    }
  } finally {
    await store.close()
  }
}
