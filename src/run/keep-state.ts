/** From the configuration to what keeps a pipeline's state: where checkpoints go, and where a start looks for them. */
import { marksRevised, type StartWish } from '../checkpoint/decide.ts'
import { listManifests, type StateRules } from '../checkpoint/manifest.ts'
import { mismatch, Restorer } from '../checkpoint/restore.ts'
import { removeSavepoint } from '../checkpoint/savepoint.ts'
import { summaryOf } from '../checkpoint/summary.ts'
import { threadWriter } from '../checkpoint/thread-writer.ts'
import { systemClock } from '../clock.ts'
import { eventsConfigOf } from '../config/events-section.ts'
import type { Config } from '../config/schema.ts'
import { CtrError } from '../errors.ts'
import type { Logger } from '../log.ts'
import type { SavepointActions } from '../server/savepoints.ts'
import type { OfferedPartition } from '../source/source.ts'
import type { ObjectStore } from '../store/object-store.ts'
import { openStore } from '../store/open-store.ts'
import { windowRules } from '../window/windows.ts'
import type { Pipeline } from './pipeline.ts'
import type { Checkpoints } from './pipeline-options.ts'

/** undefined when `checkpoint.storage` is none. */
export function keepState(config: Config, wish: StartWish, log: Logger): Checkpoints | undefined {
  const { checkpoint, kafka } = config
  if (checkpoint.storage === 'none') return undefined
  const warn = (message: string) => log.warn({ component: 'checkpoint' }, message)
  const rules = stateRules(config)
  const names = { config: checkpoint, group: kafka.groupId, writer: kafka.clientId, rules }
  return {
    policy: checkpoint,
    savepointOnStop: checkpoint.savepointOnStop,
    writer: (workers) => threadWriter({ ...names, workers, warn }),
    restorer: new Restorer({ open: () => openStore(checkpoint, warn), group: kafka.groupId, rules, wish, log }),
  }
}

/**
 * Looks at tasks that begin at the marks of their group and at nothing that was kept. Throws CTR_STATE_MISMATCH where windows that are
 * open there would change their revision; not with --ignore-state.
 */
export function marksCheck(config: Config, { ignoreState }: StartWish): (offered: readonly OfferedPartition[]) => void {
  const rules = stateRules(config)
  return (offered) => {
    const change = ignoreState ? undefined : marksRevised(offered, rules)
    if (change !== undefined) throw mismatch(`the marks of the group were made with ${change}`)
  }
}

/** What state depends on. */
function stateRules(config: Config): StateRules {
  const { window, kafka, tenant, sink } = config
  const { revision, revisionFrom } = sink
  const topics = kafka.topics.map(({ name }) => name)
  const events = Object.fromEntries(kafka.topics.map((topic) => [topic.name, eventsConfigOf(config.events, topic.events)]))
  const tzdata = window.type === 'calendar' ? process.versions.tz : undefined
  return { windowType: window.type, ...windowRules(config), tzdata, topics, tenant, revision, revisionFrom, events }
}

/** Savepoints of a running pipeline, for its HTTP server; `running` is the present run. undefined when `checkpoint.storage` is none. */
export function savepointActions({ checkpoint, kafka }: Config, running: () => Pipeline | undefined): SavepointActions | undefined {
  if (checkpoint.storage === 'none') return undefined
  const group = kafka.groupId
  return {
    group,
    async create(name) {
      const pipeline = running()
      if (pipeline === undefined) throw new CtrError('CTR_CHECKPOINT_FAILED', 'no pipeline runs at present', { retriable: true })
      const own = new Set(pipeline.stats().tasks.map(({ task }) => task))
      const { manifests } = await withStore(checkpoint, (store) => listManifests(store, group))
      if (manifests.some(({ manifest }) => manifest.savepoint === name && manifest.tasks.some(({ task }) => own.has(task))))
        throw new CtrError('CTR_CHECKPOINT_FAILED', `there is a savepoint ${name} already; delete it first, or choose another name`)
      const { id, objects, cells, bytes } = await pipeline.savepoint(name)
      return { name, id, tasks: objects.map(({ task }) => task), cells, bytes }
    },
    list: () =>
      withStore(checkpoint, async (store) => {
        const { manifests } = await listManifests(store, group)
        const now = systemClock()
        return manifests.filter(({ manifest }) => manifest.savepoint !== null).map((stored) => summaryOf(stored, now))
      }),
    remove: (name) => withStore(checkpoint, (store) => removeSavepoint(store, group, name)),
  }
}

async function withStore<T>(checkpoint: Config['checkpoint'], act: (store: ObjectStore) => Promise<T>): Promise<T> {
  const store = await openStore(checkpoint)
  if (store === undefined) throw new CtrError('CTR_CHECKPOINT_STORE', 'checkpoint.storage is none')
  try {
    return await act(store)
  } finally {
    await store.close()
  }
}
