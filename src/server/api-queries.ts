/** What may be asked of the routes of `/api/v1` beside their path. Whatever is not here is refused, so that a slip does not pass unseen. */
import { z } from 'zod'
import type { ApiName } from './api-schemas.ts'

/** Of an answer that is a list; what it costs ClickHouse has a bound too (queries.ts). */
const LIST_MAX = 200

const limit = (usual: number) => z.coerce.number().int().min(1).max(LIST_MAX).default(usual)
const none = z.strictObject({})

/** A question for each route, for the documents; the tests ask all of them of a real engine. */
export const API_EXAMPLES: { readonly [name in ApiName]: Readonly<Record<string, string | number>> } = {
  state: {},
  history: { span: '6h' },
  partitions: { topic: 'clicks', partition: 0 },
  windows: { limit: 3 },
  products: { by: 'movers', span: '1h', limit: 5, minImpressions: 100 },
  product: { id: 'p-3', limit: 3 },
  checkpoints: {},
  deadLetters: {},
  ledger: { minutes: 30 },
  quality: {},
  config: {},
  events: {},
}

/** By the name of the route. A path's own parts are among them. */
export const API_QUERIES = {
  state: none,
  history: z.strictObject({ span: z.enum(['15m', '6h', '7d']).default('15m') }),
  partitions: z.strictObject({ topic: z.string().max(249).optional(), partition: z.coerce.number().int().min(0).optional() }),
  windows: z.strictObject({ limit: limit(50) }),
  products: z.strictObject({
    by: z.enum(['impressions', 'clicks', 'ctr', 'movers']).default('impressions'),
    span: z.enum(['5m', '1h', '1d']).default('1h'),
    search: z.string().max(256).default(''),
    minImpressions: z.coerce.number().int().min(0).default(0),
    limit: limit(20),
  }),
  product: z.strictObject({ id: z.string().min(1).max(1024), limit: limit(50) }),
  checkpoints: none,
  deadLetters: none,
  ledger: z.strictObject({ minutes: z.coerce.number().int().min(1).max(1440).default(60) }),
  quality: none,
  config: none,
  events: none,
} as const satisfies { readonly [name in ApiName]: z.ZodType }

/** What was asked, with defaults. */
export type ApiQuery<Name extends ApiName> = z.output<(typeof API_QUERIES)[Name]>
