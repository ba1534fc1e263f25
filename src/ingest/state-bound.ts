/**
 * The bound of what is kept in memory: products and windows.
 *
 *   from NEAR on     products that no open window holds are forgotten, however lately they were seen; it is told
 *   full             an event of a new product waits, and its partition with it; it is told
 *   over by OVER     windows have grown on meanwhile: nothing is read
 *
 * Whoever waits is let go when there is room, or when the run ends. Nothing is dropped, and no product is left out for coming late: which
 * ids are counted for themselves is a rule of the configuration (products/product-rule.ts).
 */
import { formatSize } from '../config/units.ts'
import type { Degradations } from '../degraded.ts'
import { CtrError } from '../errors.ts'
import { type ProductBudget, productCost } from '../products/product-budget.ts'
import { formatCount } from '../text.ts'

/** Shares of the bound. */
const NEAR = 0.8
const OVER = 1.05
const MIB = 1024 * 1024
/** A run that is to end, and reads nothing for so long because it waits for room, fails. */
const STUCK_MS = 30_000

const REMEDY = [
  'give the process more memory or raise state.maxProducts',
  'run more pods',
  'shorten time.allowedLateness',
  'or let ids that are no products be counted as one (products.match)',
].join(', ')

export class StateBound {
  readonly budget: ProductBudget
  readonly #paneBytes: () => number
  readonly #degradations: Degradations
  /** Since when nothing was read while something waits for room, wall time, and how much was read by then. */
  #stuck: { readonly since: number; readonly read: number } | undefined
  /** Deliveries that wait for room. */
  waiting = 0

  /** `paneBytes`: what windows take by the counters of the workers. */
  constructor(budget: ProductBudget, paneBytes: () => number, degradations: Degradations) {
    this.budget = budget
    this.#paneBytes = paneBytes
    this.#degradations = degradations
  }

  /** Products that no open window holds are to be forgotten. */
  get near(): boolean {
    return this.budget.share >= NEAR
  }

  /** Nothing is to be read. */
  get over(): boolean {
    return this.budget.share >= OVER
  }

  /**
   * Of the products of a kept task, before they are put back: beyond the memory there is, a process that is killed would tell nobody why.
   * Throws CTR_STATE_TOO_LARGE. More than state.maxProducts are put back, and reading waits.
   */
  makeSureOfRoom(task: number, products: number, keyBytes: number): void {
    const { bytes, limits } = this.budget
    const needed = bytes + products * productCost(0) + productCost(keyBytes) - productCost(0)
    if (needed <= limits.maxBytes) return
    const what = `the ${formatCount(products)} products that are kept of task ${task} do not fit into memory`
    const sum = `${rounded(needed)} with those of the tasks before it, of ${rounded(limits.maxBytes)}`
    throw new CtrError('CTR_STATE_TOO_LARGE', `${what} (${sum}): give the process more memory, or run more pods`)
  }

  /** Brings what windows take up to date, and tells. */
  look(): void {
    this.budget.paneBytes = this.#paneBytes()
    this.#tell('stateNear', this.near, 'near their bound')
    this.#tell('stateFull', this.waiting > 0, 'at their bound, and reading waits until there is room')
  }

  /** Throws CTR_STATE_TOO_LARGE when something waits for room and `read` has not grown for STUCK_MS: nobody may be there to see it wait. */
  failWhenStuck(now: number, read: number): void {
    if (this.waiting === 0) this.#stuck = undefined
    else if (this.#stuck?.read !== read) this.#stuck = { since: now, read }
    else if (now - this.#stuck.since >= STUCK_MS) throw new CtrError('CTR_STATE_TOO_LARGE', this.#describe('at their bound'))
  }

  #tell(code: 'stateNear' | 'stateFull', is: boolean, where: string): void {
    if (!is) {
      this.#degradations.clear(code, '')
      return
    }
    this.#degradations.report(code, '', this.#describe(where))
  }

  #describe(where: string): string {
    const { products, bytes, limits } = this.budget
    const most = Number.isFinite(limits.maxProducts) ? ` of state.maxProducts ${formatCount(limits.maxProducts)}` : ''
    const room = Number.isFinite(limits.maxBytes) ? ` of ${rounded(limits.maxBytes)}` : ''
    const held = `${formatCount(products)} products${most}, ${rounded(bytes)}${room} with their windows`
    return `products and windows are ${where} (${held}): ${REMEDY}`
  }
}

function rounded(bytes: number): string {
  return formatSize(Math.ceil(bytes / MIB) * MIB)
}
