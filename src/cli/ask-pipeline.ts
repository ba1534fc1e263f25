/** Savepoints by the pipeline that runs: asked over its HTTP server, which knows more than any store. */
import { loadConfig } from '../config/load.ts'
import { CtrError } from '../errors.ts'
import { formatBytes } from '../text.ts'
import { count } from './checkpoint-views.ts'
import type { AskPipeline } from './savepoint.ts'

/** A savepoint waits for ClickHouse to acknowledge; so long at most. */
const ANSWER_MAX_MS = 600_000
const GREETING_MAX_MS = 3_000

/** Asks the pipeline at `--url`, or at http.host and http.port; undefined when none of that group runs there. Throws when it refuses. */
export const askPipeline: AskPipeline = async (action, name, options) => {
  const { http, kafka } = loadConfig({ file: options.config, sets: options.set })
  const url = options.url ?? (http.port === 0 ? undefined : `http://${reachable(http.host)}:${http.port}`)
  if (url === undefined || !(await isPipeline(url))) {
    if (options.url === undefined) return undefined
    throw new CtrError('CTR_USAGE', `--url ${url}: no pipeline answers there; start it, or leave --url out to work on checkpoint.storage`)
  }
  const authorization: Record<string, string> = http.token === undefined ? {} : { authorization: `Bearer ${http.token}` }
  const [path, init] =
    action === 'create'
      ? [
          '/savepoints',
          { method: 'POST', headers: { ...authorization, 'content-type': 'application/json' }, body: JSON.stringify({ name }) },
        ]
      : [`/savepoints/${encodeURIComponent(name)}`, { method: 'DELETE', headers: authorization }]
  const response = await fetch(`${url}${path}?group=${encodeURIComponent(kafka.groupId)}`, {
    ...init,
    signal: AbortSignal.timeout(ANSWER_MAX_MS),
  }).catch((cause: unknown) => {
    throw new CtrError('CTR_CHECKPOINT_FAILED', `${url} did not answer: ${String(cause)}; look at its log`, { cause })
  })
  const facts = (await response.json()) as Record<string, unknown>
  // Another group's pipeline has the port; that of ours does not run, or on another one.
  if (response.status === 421 && options.url === undefined) return undefined
  if (!response.ok) throw new CtrError('CTR_CHECKPOINT_FAILED', `${url}: ${String(facts.error ?? response.status)}`)
  if (action === 'delete') return { text: `savepoint ${name} is gone; its objects go with the next checkpoints`, facts }
  const { tasks, cells, bytes } = facts as { tasks: number[]; cells: number; bytes: number }
  const size = `${count(cells, 'cell')}, ${formatBytes(bytes)}`
  return { text: `savepoint ${name}: ${count(tasks.length, 'task')} of the pipeline at ${url} as of now, ${size}`, facts }
}

async function isPipeline(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/`, { signal: AbortSignal.timeout(GREETING_MAX_MS) })
    return ((await response.json()) as { name?: unknown }).name === 'ctr'
  } catch {
    return false
  }
}

/** Where a server that listens on `host` can be spoken to from here. */
function reachable(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1'
  return host.includes(':') ? `[${host}]` : host
}
