/**
 * The right to change the tables of a database, or to compute what is computed of them, for one process at a time: of several pods that
 * start at once one migrates, and the others wait for it; of several that run one computes.
 *
 * ClickHouse has no lock. So whoever wants the right, and sees nobody who has it, writes that he has it for LEASE_MS, then looks who else
 * has; whoever finds another one gives his up and tries again later. Of two that write at the same time at least the second to look finds
 * the first; in a cluster once its server has caught up with the others. All times are those of ClickHouse's clock.
 *
 * Who is killed has it no longer, where his name tells that he is gone (proof-of-life.ts); else his lease runs out.
 *
 * The holder renews it three times as often as needed. When that fails for so long that others may have it, `held` throws; a statement that
 * was sent before goes on (under-way.ts).
 */
import type { ClickHouseClient } from '@clickhouse/client'
import { withSettings } from '../clickhouse/settings.ts'
import { sleep } from '../clock.ts'
import { CtrError } from '../errors.ts'
import { beginLife, type Here, readSign, vitalOf, whereWeAre } from '../proof-of-life.ts'
import { SCHEMA_TABLE } from './book.ts'
import { catchUp, NEWEST } from './copies.ts'

const LEASE_MS = 30_000
const PAUSE_MS = 500
/** What a killed process has sent before is under way by then, and seen there. */
const GONE_PAUSE_MS = 500
/** From a look at the clock to the begin of what was allowed by it. */
const MARGIN_MS = 2_000

/** What names of holders begin with, as a client's would. */
const HOLDER = 'ctr'

/** What the right is to: changing tables, or computing roll-ups. In the book each is a kind of entry. */
export type LeaseKind = 'lease' | 'roll-ups'

/** Done while nobody else has the right; `held` throws when it may be gone. */
type Work<T> = (held: () => void) => Promise<T>

/**
 * Runs `work` if nobody else has the right; undefined when somebody does. `run` names the holder, which had better have one name for all
 * its leases: the book has an entry for each name.
 */
export async function tryLease<T>(
  client: ClickHouseClient,
  cluster: string | undefined,
  kind: LeaseKind,
  run: string,
  work: Work<T>,
): Promise<{ readonly done: T } | undefined> {
  const lease = new Lease(client, cluster, kind, run)
  return (await lease.take()) === undefined ? { done: await lease.during(work) } : undefined
}

/**
 * Runs `work` while nobody else changes the tables, nor computes from tables that are half changed. `waiting` hears who has a right, once
 * for each holder.
 */
export async function withLease<T>(
  client: ClickHouseClient,
  cluster: string | undefined,
  signal: AbortSignal,
  waiting: (holder: string) => void,
  work: Work<T>,
  leaseMs = LEASE_MS,
): Promise<T> {
  const life = await beginLife(HOLDER)
  const [change, compute] = (['lease', 'roll-ups'] as const).map((kind) => new Lease(client, cluster, kind, life.name, leaseMs)) as [
    Lease,
    Lease,
  ]
  let told = ''
  const taken = async (lease: Lease) => {
    for (;;) {
      signal.throwIfAborted()
      const holder = await lease.take()
      if (holder === undefined) return
      if (told !== holder) waiting(spellHolder(holder))
      told = holder
      await sleep(PAUSE_MS * (1 + Math.random()), signal)
    }
  }
  try {
    await taken(change)
    return await change.during(async (held) => {
      await taken(compute)
      return compute.during(() => work(held))
    })
  } finally {
    life.end()
  }
}

let ownName: Promise<string> | undefined

/** The name to hold rights under again and again; others can tell by it whether this thread is still there. */
export function holderName(): Promise<string> {
  ownName ??= beginLife(HOLDER).then(({ name }) => name)
  return ownName
}

/** For people. */
function spellHolder(name: string): string {
  const sign = readSign(name)
  return sign === undefined ? name : `pid ${sign.pid} of ${sign.host}, since ${new Date(sign.since).toISOString()}`
}

let here: Here | undefined

async function isGone(name: string): Promise<boolean> {
  here ??= whereWeAre()
  return (await vitalOf(readSign(name), here)) === 'dead'
}

class Lease {
  readonly #client: ClickHouseClient
  readonly #cluster: string | undefined
  readonly #kind: LeaseKind
  readonly #run: string
  readonly #leaseMs: number
  /** By the clock of this process, which began to wait before ClickHouse did. */
  #heldUntil = 0

  constructor(client: ClickHouseClient, cluster: string | undefined, kind: LeaseKind, run: string, leaseMs = LEASE_MS) {
    this.#leaseMs = leaseMs
    this.#client = client
    this.#cluster = cluster
    this.#kind = kind
    this.#run = run
  }

  /** Who has it, when that is another one. */
  async take(): Promise<string | undefined> {
    const before = await this.#otherHolder()
    if (before !== undefined) return before
    await this.#hold(this.#leaseMs)
    await catchUp(this.#client, this.#cluster, SCHEMA_TABLE.name)
    const beside = await this.#otherHolder()
    if (beside !== undefined) await this.#hold(0)
    return beside
  }

  /** Keeps it up meanwhile, and gives it back. */
  async during<T>(work: Work<T>): Promise<T> {
    let renewing = Promise.resolve()
    const renewal = setInterval(() => {
      renewing = this.#hold(this.#leaseMs).catch(() => undefined)
    }, this.#leaseMs / 3)
    try {
      return await work(() => this.#assertHeld())
    } finally {
      clearInterval(renewal)
      // One that came after the end would take the right again.
      await renewing
      await this.#hold(0).catch(() => undefined)
    }
  }

  #assertHeld(): void {
    if (performance.now() < this.#heldUntil - MARGIN_MS) return
    const what = 'the right to change the tables could not be renewed, and another process may have it now'
    throw new CtrError('CTR_CLICKHOUSE_UNREACHABLE', `clickhouse.database: ${what}; nothing is lost by trying again`, { retriable: true })
  }

  async #hold(ms: number): Promise<void> {
    const asked = performance.now()
    await this.#write(this.#run, ms)
    this.#heldUntil = asked + ms
  }

  async #write(name: string, ms: number): Promise<void> {
    await this.#client.command({
      query: `INSERT INTO ctr_schema (kind, name, until) SELECT '${this.#kind}', {name:String}, now64(3) + INTERVAL ${ms} MILLISECOND`,
      query_params: { name },
    })
  }

  /** One who has it and may live; those that are gone lose it. */
  async #otherHolder(): Promise<string | undefined> {
    for (const name of await this.#otherHolders()) {
      if (!(await isGone(name))) return name
      await sleep(GONE_PAUSE_MS)
      await this.#write(name, 0)
    }
    return undefined
  }

  async #otherHolders(): Promise<string[]> {
    const answer = await withSettings(this.#client, NEWEST, (settings) =>
      this.#client.query({
        query: `SELECT name FROM ctr_schema FINAL
          WHERE kind = '${this.#kind}' AND name != {run:String} AND until > now64(3) ORDER BY name`,
        query_params: { run: this.#run },
        format: 'JSONEachRow',
        clickhouse_settings: settings,
      }),
    )
    return (await answer.json<{ name: string }>()).map(({ name }) => name)
  }
}
