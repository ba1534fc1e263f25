/** Rules between the keys of the section `privacy`. */
import { type Breach, type ConfigRule, listedTwice } from './rule.ts'

/** In the order in which they are asked. */
export const PRIVACY_RULES: readonly ConfigRule[] = [
  {
    keys: ['privacy.payload', 'privacy.keep', 'privacy.names'],
    // Somebody who says what stays takes the rest for masked. Where nothing stays, it is.
    check: ({ privacy }) => {
      const name = privacy.keep !== undefined ? 'keep' : privacy.names !== undefined ? 'names' : undefined
      if (name === undefined || privacy.payload !== 'full') return undefined
      const message = `has no effect when privacy.payload is ${privacy.payload}`
      return { path: ['privacy', name], message, remedy: 'set privacy.payload: masked, or remove it' }
    },
  },
  {
    keys: ['privacy.keys'],
    check: ({ privacy: { keys = [] } }): Breach | undefined => {
      const twice = listedTwice(keys.map(({ id }) => id))
      if (twice >= 0)
        return { path: ['privacy', 'keys', twice, 'id'], message: 'is listed twice', remedy: 'give each key an id of its own' }
      const index = keys.findIndex(({ env, file }) => (env === undefined) === (file === undefined))
      if (index < 0) return undefined
      const what = keys[index]?.env === undefined ? 'has neither env nor file' : 'has both env and file'
      return { path: ['privacy', 'keys', index], message: what, remedy: 'name one of the two, where the key is' }
    },
  },
]
