/** The way to the engine that serves the page: its API, with the token that the user has given, if any. */

/** It answered that it does not do that. */
export class Refused extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

const TOKEN_KEY = 'ctr-token'
const ANSWER_MAX_MS = 15_000

/** The token lives as long as the tab, and goes nowhere but into the header. */
function tokenGiven(): string {
  return sessionStorage.getItem(TOKEN_KEY) ?? ''
}

/** From now on; '' takes it back. */
export function giveToken(token: string): void {
  if (token === '') sessionStorage.removeItem(TOKEN_KEY)
  else sessionStorage.setItem(TOKEN_KEY, token)
}

/** The answer to a question below `/api/v1/`. Throws Refused, or Error when there is no answer. */
export function ask(path: string): Promise<unknown> {
  return send('GET', `/api/v1/${path}`, undefined)
}

/** As `ask`, for what changes something. */
export function send(method: string, path: string, body: object | undefined): Promise<unknown> {
  const token = tokenGiven()
  const headers: Record<string, string> = { accept: 'application/json' }
  if (token !== '') headers.authorization = `Bearer ${token}`
  if (body !== undefined) headers['content-type'] = 'application/json'
  const init = { method, headers, signal: AbortSignal.timeout(ANSWER_MAX_MS), cache: 'no-store' as const, credentials: 'omit' as const }
  return answered(fetch(path, body === undefined ? init : { ...init, body: JSON.stringify(body) }))
}

async function answered(coming: Promise<Response>): Promise<unknown> {
  const response = await coming.catch((cause: unknown) => {
    const timedOut = cause instanceof DOMException && cause.name === 'TimeoutError'
    throw new Error(timedOut ? `it did not answer within ${ANSWER_MAX_MS / 1000} s` : 'it does not answer', { cause })
  })
  const facts: unknown = await response.json().catch(() => ({}))
  if (response.ok) return facts
  const { error, remedy } = facts as { readonly error?: unknown; readonly remedy?: unknown }
  const words = typeof error === 'string' ? error : `it answered with status ${response.status}`
  throw new Refused(response.status, typeof remedy === 'string' ? `${words}; ${remedy}` : words)
}
