/** Questions to `/api/v1`, by their path; and what was answered, live or in a file that was exported. */
import type { ApiAnswer, ApiName } from '../server/api-schemas.ts'

/** Of a question by its name. */
export type Answer<Name extends ApiName> = ApiAnswer<Name>

const PATHS: { readonly [name in ApiName]: string } = {
  state: 'state',
  history: 'history',
  partitions: 'partitions',
  windows: 'windows',
  products: 'products',
  product: 'products/',
  checkpoints: 'checkpoints',
  deadLetters: 'dead-letters',
  ledger: 'ledger',
  quality: 'quality',
  config: 'config',
  events: 'events',
}

/** What is asked, and how often, ms; 0 asks once. */
export interface ApiQuestion<Name extends ApiName = ApiName> {
  readonly name: Name
  /** Below `/api/v1/`. */
  readonly path: string
  readonly everyMs: number
}

/** `id` is that of a product; parameters that are '' are left out. */
export function question<Name extends ApiName>(
  name: Name,
  everyMs: number,
  params: Readonly<Record<string, string>> = {},
  id = '',
): ApiQuestion<Name> {
  const query = new URLSearchParams(Object.entries(params).filter(([, value]) => value !== '')).toString()
  return { name, path: `${PATHS[name]}${encodeURIComponent(id)}${query === '' ? '' : `?${query}`}`, everyMs }
}

/** An answer as it is kept: the last good one, and what was wrong with the newest attempt. */
export interface Kept {
  readonly value: unknown
  /** '' when it was answered. */
  readonly error: string
  /** ms since the epoch. */
  readonly askedAtMs: number
}

/** All that is kept, by path. */
export type KeptAnswers = ReadonlyMap<string, Kept>

/** The last good answer to a question; undefined when there is none yet. */
export function answerTo<Name extends ApiName>(answers: KeptAnswers, { path }: ApiQuestion<Name>): Answer<Name> | undefined {
  return answers.get(path)?.value as Answer<Name> | undefined
}

/** Those that are to be asked now. */
export function dueOf(questions: readonly ApiQuestion[], answers: KeptAnswers, nowMs: number): ApiQuestion[] {
  return questions.filter(({ path, everyMs }) => {
    const kept = answers.get(path)
    if (kept === undefined) return true
    const failed = kept.error !== ''
    return everyMs === 0 ? failed && nowMs - kept.askedAtMs >= ASK_AGAIN_MS : nowMs - kept.askedAtMs >= everyMs
  })
}

const ASK_AGAIN_MS = 5_000
