/** What stands between a database and the tables that this engine knows: its version, the steps that are left, and what no step mends. */
import type { ClickHouseClient } from '@clickhouse/client'
import { type Endpoint, whereOf } from '../clickhouse/connect.ts'
import { CtrError } from '../errors.ts'
import { formatted, readActual } from './actual.ts'
import { EMPTY_BOOK, type KeptVersion, readBook, SCHEMA_TABLE } from './book.ts'
import { objectsOf, queryOf } from './cluster.ts'
import { type Difference, differencesOf, retiredDifferences, type Wanted } from './differences.ts'
import { expiryStep } from './expiry.ts'
import { FILL_STEPS, MIGRATIONS, VERSION } from './migrations.ts'
import type { Form } from './objects.ts'
import { createStatement } from './render.ts'
import { retiredOf } from './schema.ts'
import type { Part, State, Step } from './steps.ts'

/** A step with what is left of it. */
export interface PlannedStep {
  readonly step: Pick<Step, 'name' | 'what'>
  readonly parts: readonly Part[]
}

/** What would be done. */
export interface Plan {
  /** Of the tables that are there; 0 when there are none. */
  readonly from: number
  readonly to: number
  readonly steps: readonly PlannedStep[]
  /** What no step mends. */
  readonly conflicts: readonly Difference[]
}

/** Of a database as it is now, and what it is to be. */
export async function planOf(state: State, wanted: readonly Wanted[]): Promise<Plan> {
  const { version: from } = tablesVersion(state)
  const differences = findDifferences(state, wanted)
  const steps: PlannedStep[] = []
  for (const step of stepsFrom(from, () => differences)) {
    const parts = await step.parts(state)
    if (parts.length > 0) steps.push({ step, parts })
  }
  const mended = new Set(steps.flatMap(({ parts }) => parts.map(({ mends }) => mends)))
  const conflicts = differences.filter(({ object, statements }) => statements.length === 0 && !mended.has(object.name))
  return { from, to: VERSION, steps, conflicts }
}

/** What is there, and what the book says of it; `known` are the tables where they have not changed. */
export async function stateOf(client: ClickHouseClient, form: Form, known?: State['actual']): Promise<State> {
  const actual = known ?? (await readActual(client, form.database))
  return { client, form, actual, book: actual.has(SCHEMA_TABLE.name) ? await readBook(client, form.database) : EMPTY_BOOK }
}

/** Version 0 where there are no tables of ours; 1 where there is no book. Version 1 knew no clusters. */
export function tablesVersion({ form, actual, book }: State): KeptVersion {
  return book.version ?? { version: form.cluster === undefined && actual.has('ctr_results') ? 1 : 0, writersFrom: 1 }
}

/** Throws CTR_CLICKHOUSE_REFUSED when tables say that an engine like this one must not write into them. */
export function refuseNewer(endpoint: Endpoint, { version, writersFrom }: KeptVersion): void {
  if (writersFrom <= VERSION) return
  const seen = `${endpoint.database} has tables of version ${version}, which take rows of engines that know version ${writersFrom} at least`
  const remedy = `this one knows ${VERSION}: run the newer engine, or give this one a database of its own`
  throw new CtrError('CTR_CLICKHOUSE_REFUSED', `clickhouse.database: ${whereOf(endpoint)}: ${seen}; ${remedy}`)
}

/** All steps from a version to ours, in order, also those in which nothing may be left. */
export function stepsFrom(from: number, differences: (state: State) => readonly Difference[]): Step[] {
  // What is not there yet needs no migration.
  const migrations = from === 0 ? [] : MIGRATIONS.filter(({ version }) => version > from)
  const made = (name: string, what: string, takes: (object: Difference['object']) => boolean): Step => ({
    name,
    what,
    parts: async (state) => {
      const found = differences(state).filter(({ object, statements, ttl }) => takes(object) && statements.length > 0 && ttl === undefined)
      return found.map(({ object, what: differs, statements }) => {
        const loss = object.kind === 'retired' ? object.loss : undefined
        return { name: `${object.name} ${differs}`, statements, loss }
      })
    },
  })
  return [
    ...migrations.flatMap(({ before }) => before),
    made('tables', 'create and extend tables and feeds', isStored),
    ...FILL_STEPS,
    ...migrations.flatMap(({ after }) => after),
    made('views', 'create and replace views', (object) => object.kind !== 'retired' && !isStored(object)),
    made('retired', 'drop what is not wanted', ({ kind }) => kind === 'retired'),
    expiryStep(differences),
  ]
}

function isStored(object: Difference['object']): boolean {
  return object.kind === 'distributed' ? isStored(object.of) : object.kind === 'table' || object.kind === 'feed'
}

/** Of a query that the server writes in another way than it was given. */
export function writtenNote(name: string): string {
  return `written/${name}`
}

/** Every object as it is to be, in the words of the server. */
export async function wantedOf(client: ClickHouseClient, form: Form): Promise<Wanted[]> {
  const objects = objectsOf(form)
  const texts = objects.map((object) => ('query' in object ? queryOf(form, object) : createStatement(form, object)))
  const written = await formatted(client, texts)
  return objects.map((object, i) => {
    const text = written[i] ?? ''
    return 'query' in object ? { object, query: text, ddl: '' } : { object, query: '', ddl: text }
  })
}

/** All that differs, as of then. */
export function findDifferences({ form, actual, book }: State, wanted: readonly Wanted[]): Difference[] {
  const found = [...differencesOf(form, wanted, actual), ...retiredDifferences(form, retiredOf(form), actual)]
  return found.filter(({ object, queries }) => queries === undefined || book.notes.get(writtenNote(object.name))?.detail !== queries)
}
