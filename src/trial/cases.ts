/**
 * Cases of a configuration, as a user writes them in YAML: given these records, this becomes of each, and these are the rows.
 *
 *   cases:
 *     - name: a click counts in the window of its time
 *       events:
 *         - value: {product_id: p1, event_type: click, timestamp: "2026-01-01T00:00:03Z"}
 *         - {topic: impressions, value: "no JSON", is: NOT_JSON}
 *       rows:
 *         - {product: p1, window: "2026-01-01T00:00:00Z", clicks: 1}
 */
import { readFileSync } from 'node:fs'
import { LineCounter, parseDocument } from 'yaml'
import { z } from 'zod'
import { CtrError } from '../errors.ts'
import { REASONS } from '../format/reasons.ts'
import { TERM_NAMES } from '../window/ledger.ts'

/** More tasks than a case has partitions: cases lie beside each other in one run. */
export const CASE_PARTITIONS_MAX = 1_000

/** What may become of a record: a term of the ledger, or why it is invalid. */
const FATES: readonly string[] = [...TERM_NAMES, ...REASONS.filter((reason) => reason !== 'VALID')]

const time = z.union([z.number().int(), z.iso.datetime({ offset: true, local: true })]).transform((value) => {
  // Without a zone it is UTC, as in events.
  return typeof value === 'number' ? value : Date.parse(/Z|[+-]\d\d:?\d\d$/.test(value) ? value : `${value}Z`)
})
const count = z.number().int().min(0)

const record = z
  .strictObject({
    topic: z.string().optional(),
    partition: z
      .number()
      .int()
      .min(0)
      .max(CASE_PARTITIONS_MAX - 1)
      .default(0),
    /** Of the record; without it the record has none. */
    time: time.optional(),
    /** Text as it is, anything else as JSON, null a record without a value. */
    value: z.unknown().optional(),
    base64: z.base64().optional(),
    is: z.enum(FATES).optional(),
  })
  .refine((event) => 'value' in event !== (event.base64 !== undefined), 'give one of value and base64')

const row = z.strictObject({
  product: z.string(),
  window: time,
  end: time.optional(),
  impressions: count.default(0),
  clicks: count.default(0),
})

const oneCase = z
  .strictObject({
    name: z.string().min(1),
    /** The time of the newest event before these, in each partition. Without it a partition knows no time before its first eight events. */
    after: time.optional(),
    events: z.array(record).min(1),
    rows: z.array(row).optional(),
    counted: count.optional(),
    late: count.optional(),
    ignored: count.optional(),
    invalid: z.union([count, z.partialRecord(z.enum(REASONS), count)]).optional(),
  })
  .refine(
    ({ name: _name, after: _after, events, ...expected }) => Object.keys(expected).length > 0 || events.some(({ is }) => is !== undefined),
    {
      message: 'expects nothing: give rows, counted, late, ignored or invalid, or what an event is',
    },
  )

const file = z.strictObject({ cases: z.array(oneCase).min(1) })

/** A record of a case. */
export type CaseRecord = z.infer<typeof record>
/** A case; `place` is its file and line. */
export type TrialCase = z.infer<typeof oneCase> & { readonly place: string }

/** The cases of a file. Throws CTR_USAGE with all that is wrong with it. */
export function readCases(path: string): readonly TrialCase[] {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    throw new CtrError('CTR_USAGE', `${path}: it can not be read: ${(cause as Error).message}`, { cause })
  }
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: true })
  const [broken] = document.errors
  if (broken !== undefined) throw new CtrError('CTR_USAGE', `${path}: it is no YAML: ${broken.message}`)
  const lineOf = (at: readonly PropertyKey[]) => {
    const node = document.getIn(at, true) as { range?: readonly [number, number, number] } | undefined
    return node?.range === undefined ? '' : `:${lines.linePos(node.range[0]).line}`
  }
  const parsed = file.safeParse(document.toJS())
  if (!parsed.success) {
    const faults = parsed.error.issues.map(({ path: at, message }) => `  ${path}${lineOf(at)}: ${spellPath(at)}: ${message}`)
    throw new CtrError('CTR_USAGE', `${path} is no file of cases; \`ctr test --help\` shows one\n${faults.join('\n')}`)
  }
  return parsed.data.cases.map((each, i) => ({ ...each, place: `${path}${lineOf(['cases', i])}` }))
}

function spellPath(path: readonly PropertyKey[]): string {
  const text = path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('')
  return text === '' ? 'the file' : text.replace(/^\./, '')
}

/** What the record holds; null without a value. */
export function bytesOf({ value, base64 }: CaseRecord): Buffer | null {
  if (base64 !== undefined) return Buffer.from(base64, 'base64')
  if (value === null) return null
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))
}
