/** What the configuration says of the schema registry. */
import { z } from 'zod'
import { duration, durationOrOff, flag, integer, listWithoutDefault, size, text, tlsFields } from './fields.ts'
import { LIMITS } from './limits.ts'
import { DAY, MINUTE, SECOND } from './units.ts'

const auth = z.strictObject({
  username: text('User name, or API key.').optional(),
  password: text('Password, or API secret.', { secret: true }).optional(),
  token: text('Bearer token, in place of username and password.', { secret: true }).optional(),
})

const cache = z.strictObject({
  store: flag('Keep schemas in checkpoint.storage: a start then needs no registry for those that it has met.', true),
  maxSchemas: integer('Schemas in memory at a time; the one that was not asked for longest goes.', 1_000, { min: 1, max: 1_000_000 }),
  maxBytes: size('Bytes of schemas in memory at a time, with what they refer to.', '16MiB', {
    min: LIMITS.schemaMaxBytes,
    max: 16 * 1024 * 1024 * 1024,
  }),
})

/** The section `schemaRegistry`. */
export const registrySection = z.strictObject({
  url: listWithoutDefault(
    'Address of the registry, where its Confluent API begins, or several addresses of one registry: they are tried in turn.',
    text('Address.', {
      pattern: /^https?:\/\/[^/@?#\s]+(?:\/[^?#\s]*)?$/,
      remedy: 'write http://host:8081 or https://host/apis/ccompat/v7; user, password and token have keys of their own',
    }),
    LIMITS.registryUrlsMax,
  ).optional(),
  auth: auth.optional().meta({ description: 'How to be let in: by user and password, or by a token.' }),
  tls: z.strictObject(tlsFields).optional().meta({ description: 'TLS; only with an https:// url.' }),
  cache: cache.prefault({}).meta({ description: 'Where schemas are kept once they are here. What is under an id never changes.' }),
  unknownAfter: durationOrOff(
    'When the registry has not known a schema for so long, records that name it are invalid (SCHEMA_UNKNOWN); off waits. ' +
      'With it, a result depends on when records are read.',
    'off',
    { min: SECOND, max: 30 * DAY },
  ),
  requestTimeout: duration('Limit on one request.', '10s', { min: 100, max: 5 * MINUTE }),
})
