/** `ctr savepoint create` and `delete`: by the running pipeline when one answers, else on the store. */
import { randomBytes } from 'node:crypto'
import { createSavepoint, removeSavepoint } from '../checkpoint/savepoint.ts'
import { systemClock } from '../clock.ts'
import { formatSpan } from '../text.ts'
import { withStore } from './checkpoint.ts'
import { count } from './checkpoint-views.ts'
import type { CheckpointOptions } from './options.ts'
import { withProgress } from './progress.ts'

/** What can be done to a savepoint. */
export type SavepointAction = 'create' | 'delete'

/** What was done: for people, and for programs. */
export interface SavepointAnswer {
  readonly text: string
  readonly facts: Readonly<Record<string, unknown>>
}

/** Asks a running pipeline to do it; undefined when none answers. Throws CtrError when it refuses. */
export type AskPipeline = (action: SavepointAction, name: string, options: CheckpointOptions) => Promise<SavepointAnswer | undefined>

const nobody: AskPipeline = async () => undefined

/** Runs the verb; returns the exit code. Throws CtrError. */
export async function savepointVerb(
  action: SavepointAction,
  name: string,
  options: CheckpointOptions,
  ask: AskPipeline = nobody,
  write: (text: string) => void = (text) => void process.stdout.write(text),
): Promise<number> {
  const what = action === 'create' ? `savepoint ${name}: the pipeline writes what it holds` : `savepoint ${name} is removed`
  const work = async () => (await ask(action, name, options)) ?? (await onStore(action, name, options))
  const { text, facts } = await withProgress(options, () => ({ what }), work)
  write(options.json ? `${JSON.stringify(facts, null, 2)}\n` : `${text}\n`)
  return 0
}

async function onStore(action: SavepointAction, name: string, options: CheckpointOptions): Promise<SavepointAnswer> {
  return await withStore(options, async ({ store, group }) => {
    if (action === 'delete') {
      const manifests = await removeSavepoint(store, group, name)
      return { text: `savepoint ${name} is gone; its objects go with the next checkpoints`, facts: { savepoint: name, manifests } }
    }
    const tasks = await createSavepoint(store, group, name, { writerId: randomBytes(4).toString('hex'), clock: systemClock })
    const oldest = Math.min(...tasks.map(({ from }) => from.manifest.createdAt))
    const from = [...new Set(tasks.map((task) => task.from.manifest.id))]
    const age = formatSpan(systemClock() - oldest)
    return {
      text: `savepoint ${name}: ${count(tasks.length, 'task')} as of ${age} ago, from ${from.join(', ')}`,
      facts: { savepoint: name, tasks: tasks.map(({ entry }) => entry.task), from },
    }
  })
}
