/**
 * Brings the tables and views of a database to the version that this engine knows: says what it would do (plan), or does it (apply).
 *
 * Of several that apply at once one does, by lease. Whatever is killed is taken up again by the next one that applies. A database that is
 * newer is left as it is: its tables say which engines may still write.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import { assert } from '../assert.ts'
import { clickHouseCode, connect, type Endpoint, explainClickHouse, whereOf } from '../clickhouse/connect.ts'
import { HOUR } from '../config/units.ts'
import { CtrError } from '../errors.ts'
import { formatBytes, formatCount, formatSpan } from '../text.ts'
import { keepNote, keepVersion, SCHEMA_TABLE } from './book.ts'
import type { Difference } from './differences.ts'
import { withLease } from './lease.ts'
import { MIGRATIONS, VERSION } from './migrations.ts'
import type { Form } from './objects.ts'
import { findDifferences, type Plan, planOf, refuseNewer, stateOf, stepsFrom, tablesVersion, wantedOf, writtenNote } from './plan.ts'
import { databaseStatement, schemaStatements, tableStatement } from './render.ts'
import type { Part, State, Step } from './steps.ts'
import { insertsEnded, othersEnded, runMarked } from './under-way.ts'

/** Moving many rows takes long; each statement ends by itself. */
const STATEMENT_TIMEOUT_MS = 24 * HOUR
/** More often than a step can have to look what it has left. */
const ROUNDS_MAX = 20

/** What apply tells while it works. */
export interface ApplyReports {
  /** Something begins, or goes on: one line. */
  info(text: string): void
  /** Something is lost by what is done; told as the rest where it is not given. */
  warn?(text: string): void
}

/** What would be done. Steps that depend on others show what is known of them now. Throws CtrError. */
export async function planSchema(endpoint: Endpoint, form: Form): Promise<Plan> {
  if (!(await hasDatabase(endpoint))) {
    const statements = [databaseStatement(form), ...schemaStatements(form)]
    const step = { name: 'create', what: 'create the database and all in it' }
    return { from: 0, to: VERSION, steps: [{ step, parts: [{ name: form.database, statements }] }], conflicts: [] }
  }
  return withClient(endpoint, endpoint.database, async (client) => {
    const state = await stateOf(client, form)
    const kept = tablesVersion(state)
    refuseNewer(endpoint, kept)
    if (kept.version > VERSION) return { from: kept.version, to: VERSION, steps: [], conflicts: [] }
    return planOf(state, await wantedOf(client, form))
  })
}

/** What differs from the tables that this engine makes; of a database of an older version what its migrations mend, too. */
export interface SchemaDifferences {
  /** Of the tables. Those of a newer version than this engine knows are not compared. */
  readonly version: number
  readonly knows: number
  readonly differences: readonly Difference[]
}

/** Throws CtrError. */
export async function diffSchema(endpoint: Endpoint, form: Form): Promise<SchemaDifferences> {
  return withClient(endpoint, endpoint.database, async (client) => {
    const state = await stateOf(client, form)
    const kept = tablesVersion(state)
    refuseNewer(endpoint, kept)
    const differences = kept.version > VERSION ? [] : findDifferences(state, await wantedOf(client, form))
    return { version: kept.version, knows: VERSION, differences }
  })
}

/** Does it; nothing is harmed by running it again, or by several at once. Where nothing is to be done it asks for no right to do it. Throws
 * CtrError. */
export async function applySchema(endpoint: Endpoint, form: Form, reports: ApplyReports, signal: AbortSignal): Promise<void> {
  const wants: string[] = []
  try {
    await applyWanted(endpoint, form, reports, signal, wants)
  } catch (error) {
    throw wants.length > 0 && clickHouseCode(error) === ACCESS_DENIED ? notOwner(endpoint, wants, error) : error
  }
}

const ACCESS_DENIED = 497

/** `wants` becomes what is to be done, once that is known. */
async function applyWanted(endpoint: Endpoint, form: Form, reports: ApplyReports, signal: AbortSignal, wants: string[]): Promise<void> {
  if (!(await hasDatabase(endpoint))) {
    wants.push(`there is no database ${form.database}`)
    await withClient(endpoint, undefined, (client) => client.command({ query: databaseStatement(form) }))
  }
  const sound = await withClient(endpoint, endpoint.database, async (client) => {
    const state = await stateOf(client, form)
    const kept = tablesVersion(state)
    refuseNewer(endpoint, kept)
    if (kept.version > VERSION) {
      reports.info(`the tables in ${form.database} are of version ${kept.version}, newer than ${VERSION}, and stay as they are`)
      return true
    }
    const left = await planOf(state, await wantedOf(client, form))
    refuseConflicts(endpoint, left.conflicts)
    wants.push(...left.steps.flatMap(({ parts }) => parts.map(({ name }) => name)))
    if (left.steps.length === 0 && state.book.version?.version === VERSION) return true
    await client.command({ query: tableStatement(form, SCHEMA_TABLE) })
    return false
  })
  if (sound) return
  await withClient({ ...endpoint, requestTimeoutMs: STATEMENT_TIMEOUT_MS }, endpoint.database, async (client) => {
    const until = 'waiting until it has ended, or for 30 s where nobody can tell that it was killed'
    const what = `works on the tables in ${form.database}`
    const waiting = (holder: string) => reports.info(`another process (${holder}) ${what}; ${until}`)
    await withLease(client, form.cluster, signal, waiting, async (held) => {
      const told = `a statement of a process that changed the tables in ${form.database} still runs; waiting for it`
      await othersEnded(client, form, signal, () => reports.info(told))
      await new Application(client, endpoint, form, reports, signal, held).run()
    })
  })
}

/** One process that has the right to change the tables. */
class Application {
  readonly #client: ClickHouseClient
  readonly #endpoint: Endpoint
  readonly #form: Form
  readonly #reports: ApplyReports
  readonly #signal: AbortSignal
  readonly #held: () => void
  /** As they were when they were last read; undefined when something was changed since. */
  #actual: State['actual'] | undefined

  constructor(client: ClickHouseClient, endpoint: Endpoint, form: Form, reports: ApplyReports, signal: AbortSignal, held: () => void) {
    this.#client = client
    this.#endpoint = endpoint
    this.#form = form
    this.#reports = reports
    this.#signal = signal
    this.#held = held
  }

  /** Everything that is left, step by step; what is left of a step is found when its turn comes. */
  async run(): Promise<void> {
    const { database } = this.#form
    const state = await this.#state()
    const { version: from } = tablesVersion(state)
    // Another one may have brought a newer version while this one waited.
    refuseNewer(this.#endpoint, tablesVersion(state))
    if (from > VERSION) return
    const wanted = await wantedOf(this.#client, this.#form)
    for (const step of stepsFrom(from, (now) => findDifferences(now, wanted))) await this.#step(step, from > 0)
    this.#actual = undefined // an older engine may have put its views back
    const left = findDifferences(await this.#state(), wanted)
    refuseConflicts(
      this.#endpoint,
      left.filter(({ statements }) => statements.length === 0),
    )
    for (const { object, what, queries } of left) {
      if (queries === undefined) this.#reports.info(`${database}.${object.name} ${what}, also after that was changed`)
      else await keepNote(this.#client, writtenNote(object.name), queries)
    }
    if (state.book.version?.version === VERSION) return
    await keepVersion(this.#client, { version: VERSION, writersFrom: MIGRATIONS.at(-1)?.writersFrom ?? 1 })
    this.#reports.info(`the tables in ${database} are of version ${VERSION} now`)
  }

  /** The book as of now, and what is there as of the last change by this process. */
  async #state(): Promise<State> {
    const state = await stateOf(this.#client, this.#form, this.#actual)
    this.#actual = state.actual
    return state
  }

  async #step(step: Step, tell: boolean): Promise<void> {
    for (let round = 0; ; round++) {
      assert(round < ROUNDS_MAX, 'a step comes to an end', { step: step.name, round })
      const parts = await step.parts(await this.#state())
      const rows = new Moved(parts)
      for (const [i, part] of parts.entries()) {
        const title = `${step.what}: ${part.name} (${i + 1} of ${parts.length}${rows.text})`
        if (tell) this.#reports.info(title)
        if (part.loss !== undefined) this.#lost(part.loss)
        await this.#part(part, tell ? title : '')
        rows.add(part)
      }
      if (step.again === undefined || parts.length === 0) return
    }
  }

  #lost(text: string): void {
    if (this.#reports.warn === undefined) this.#reports.info(text)
    else this.#reports.warn(text)
  }

  async #part({ statements, afterInsertsInto, note, rows = 0 }: Part, title: string): Promise<void> {
    const { database } = this.#form
    if (afterInsertsInto !== undefined) await insertsEnded(this.#client, this.#form, afterInsertsInto, this.#signal)
    for (const statement of statements) {
      this.#actual = undefined
      this.#signal.throwIfAborted()
      this.#held()
      await runMarked(this.#client, database, statement, (now) => {
        const of = rows === 0 ? '' : ` of ${formatCount(rows)}`
        this.#reports.info(`${title}: ${formatCount(now.rows)}${of} rows read after ${formatSpan(now.elapsedSeconds * 1000)}`)
      })
    }
    if (note !== undefined) await keepNote(this.#client, note.name, note.detail)
  }
}

/** How many of the rows of a step's parts are done. */
class Moved {
  readonly #all: number
  readonly #bytes: number
  #done = 0

  constructor(parts: readonly Part[]) {
    this.#all = parts.reduce((sum, { rows = 0 }) => sum + rows, 0)
    this.#bytes = parts.reduce((sum, { bytes = 0 }) => sum + bytes, 0)
  }

  get text(): string {
    if (this.#all === 0) return ''
    return `; ${formatCount(this.#done)} of ${formatCount(this.#all)} rows done, ${formatBytes(this.#bytes)} in all`
  }

  add({ rows = 0 }: Part): void {
    this.#done += rows
  }
}

function notOwner(endpoint: Endpoint, wants: readonly string[], cause: unknown): CtrError {
  const more = wants.length > 1 ? ` (and ${wants.length - 1} more: \`ctr schema plan\`)` : ''
  const what = `${whereOf(endpoint)} does not let ${endpoint.username} change the tables in ${endpoint.database}: ${wants[0]}${more}`
  const remedy = 'run `ctr schema apply` as a user who has the rights that `ctr schema grants --for owner` prints'
  return new CtrError('CTR_CLICKHOUSE_AUTH', `clickhouse.username: ${what}; ${remedy}`, { cause })
}

/** Throws CTR_CLICKHOUSE_REFUSED when there is what no step mends. */
export function refuseConflicts(endpoint: Endpoint, conflicts: readonly Difference[]): void {
  const [first] = conflicts
  if (first === undefined) return
  const more = conflicts.length > 1 ? ` (and ${conflicts.length - 1} more: \`ctr schema diff\`)` : ''
  const what = `${endpoint.database}.${first.object.name} ${first.what}${more}`
  const remedy = 'make it anew under another name and move the rows, or give the engine a database of its own'
  throw new CtrError('CTR_CLICKHOUSE_REFUSED', `clickhouse.database: ${whereOf(endpoint)}: ${what}; ${remedy}`)
}

async function hasDatabase(endpoint: Endpoint): Promise<boolean> {
  return withClient(endpoint, undefined, async (client) => {
    const query = 'SELECT count() AS found FROM system.databases WHERE name = {database:String}'
    const result = await client.query({ query, query_params: { database: endpoint.database }, format: 'JSONEachRow' })
    const [row] = await result.json<{ found: string | number }>()
    return Number(row?.found) > 0
  })
}

async function withClient<T>(endpoint: Endpoint, database: string | undefined, work: (client: ClickHouseClient) => Promise<T>): Promise<T> {
  const client = connect(endpoint, database)
  try {
    return await work(client)
  } catch (error) {
    throw explainClickHouse(error, endpoint)
  } finally {
    await client.close()
  }
}
