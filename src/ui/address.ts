/** What the page shows, as the fragment of its address: so that a reload, a bookmark and the back button lead to the same view. */

/** The views, in the order of the navigation, and what they are called. */
export const VIEWS = {
  now: 'Now',
  products: 'Products',
  partitions: 'Partitions',
  lateness: 'Lateness',
  ledger: 'Ledger',
  letters: 'Dead letters',
  checkpoints: 'Checkpoints',
  config: 'Configuration',
} as const
/** One of them. */
export type ViewName = keyof typeof VIEWS

/** `#/products/ID?by=ctr`. */
export interface Address {
  readonly view: ViewName
  /** Of the one thing that is shown; '' for all. */
  readonly id: string
  readonly params: Readonly<Record<string, string>>
}

/** An address that nobody knows leads to the first view. */
export function parseAddress(fragment: string): Address {
  const [path = '', query = ''] = fragment.replace(/^#?\/?/, '').split('?', 2)
  const [view = '', ...rest] = path.split('/')
  const params = Object.fromEntries(new URLSearchParams(query))
  if (!Object.hasOwn(VIEWS, view)) return { view: 'now', id: '', params }
  return { view: view as ViewName, id: decoded(rest.join('/')), params }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** The fragment that leads there. */
export function addressText({ view, id, params }: Address): string {
  const query = new URLSearchParams(Object.entries(params).filter(([, value]) => value !== '')).toString()
  return `#/${view}${id === '' ? '' : `/${encodeURIComponent(id)}`}${query === '' ? '' : `?${query}`}`
}

/** The same view with some parameters changed; '' takes one out. */
export function withParams(address: Address, changes: Readonly<Record<string, string>>): Address {
  return { ...address, params: { ...address.params, ...changes } }
}
