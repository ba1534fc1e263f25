/** What may leave the process of what records hold: by letters, logs, page and API, and the verbs that show records. */
import { z } from 'zod'
import { path } from './events-section.ts'
import { choice, defaulted, listWithoutDefault, text } from './fields.ts'
import { LIMITS } from './limits.ts'

const key = z.strictObject({
  id: text('Its name, which is in all that it masks.', {
    max: 32,
    pattern: /^[A-Za-z0-9._-]+$/,
    remedy: 'use letters, digits, dot, dash and underscore, such as 2026-01',
  }),
  env: text('Variable of the environment that holds the key, 32 bytes or more.', {
    max: 128,
    pattern: /^[A-Za-z_][A-Za-z0-9_]*$/,
    remedy: 'write the name of a variable such as CTR_MASK_KEY, not the key',
  }).optional(),
  file: text('File that holds the key, in place of env.', { max: 4096 }).optional(),
})

/** The section `privacy`. */
export const privacySection = z.strictObject({
  payload: defaulted(
    choice('What leaves of records that are not counted: all of it; their structure, with values masked; or where they are, and no more.', [
      'full',
      'masked',
      'none',
    ]),
    'full',
    'full',
  ),
  keep: listWithoutDefault(
    'Places whose values are not masked, such as product_id; all others are.',
    path,
    LIMITS.keptPlacesMax,
  ).optional(),
  names: listWithoutDefault(
    'Places whose names are not masked, beside those of privacy.keep and events.fields; all others are.',
    path,
    LIMITS.keptPlacesMax,
  ).optional(),
  keys: listWithoutDefault(
    'Keys of the masks: the first one masks, the others are for comparing with what was masked before. Without any, values are cut out.',
    key,
    LIMITS.maskKeysMax,
  ).optional(),
})
