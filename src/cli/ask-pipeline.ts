/** Savepoints by the pipeline that runs: asked over its HTTP server, which knows more than any store. */
import { loadConfig } from '../config/load.ts'
import { tokenOfEnvironment } from '../config/token.ts'
import { CtrError } from '../errors.ts'
import { storageDirectory } from '../store/open-store.ts'
import { formatBytes, maskSecrets } from '../text.ts'
import { count } from './checkpoint-views.ts'
import type { AskPipeline } from './savepoint.ts'
import { addressOf, wayTo } from './way-to-pipeline.ts'

/** A savepoint waits for ClickHouse to acknowledge; so long at most. */
const ANSWER_MAX_MS = 600_000

/**
 * Asks the pipeline at `--url`, or at http.host and http.port; one of this machine and user over its own socket. Undefined when none of
 * that group runs there. Throws when it refuses.
 */
export const askPipeline: AskPipeline = async (action, name, options) => {
  const { checkpoint, http, kafka } = loadConfig({ file: options.config, sets: options.set })
  const url = options.url ?? addressOf(http)
  const way = url === undefined ? undefined : await wayTo(url, storageDirectory(checkpoint))
  if (way === undefined) {
    if (options.url === undefined) return undefined
    throw new CtrError('CTR_USAGE', `--url ${url}: no pipeline answers there; start it, or leave --url out to work on checkpoint.storage`)
  }
  const token = tokenOfEnvironment() ?? http.token
  const { status, facts } = await way({
    method: action === 'create' ? 'POST' : 'DELETE',
    path: `/savepoints${action === 'create' ? '' : `/${encodeURIComponent(name)}`}?group=${encodeURIComponent(kafka.groupId)}`,
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    body: action === 'create' ? { name } : undefined,
    maxMs: ANSWER_MAX_MS,
  }).catch((cause: unknown) => {
    throw new CtrError('CTR_CHECKPOINT_FAILED', `${url} did not answer: ${String(cause)}; look at its log`, { cause })
  })
  // Another group's pipeline has the port; that of ours does not run, or on another one.
  if (status === 421 && options.url === undefined) return undefined
  if (status !== 200) throw new CtrError('CTR_CHECKPOINT_FAILED', `${url}: ${String(facts.error ?? status)}`)
  if (action === 'delete') return { text: `savepoint ${name} is gone; its objects go with the next checkpoints`, facts }
  const { tasks, cells, bytes } = facts as unknown as { tasks: number[]; cells: number; bytes: number }
  const size = `${count(cells, 'cell')}, ${formatBytes(bytes)}`
  return {
    text: `savepoint ${name}: ${count(tasks.length, 'task')} of the pipeline at ${maskSecrets(url ?? '')} as of now, ${size}`,
    facts,
  }
}
