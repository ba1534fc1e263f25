/** What the configuration says of the HTTP server, and of what its page shows. */
import { z } from 'zod'
import { choice, defaulted, flag, integer, listWithoutDefault, text } from './fields.ts'
import { LIMITS } from './limits.ts'

const token = z.strictObject({
  name: text('Whose it is, for people.', { max: 128 }),
  role: choice('viewer reads, operator takes and deletes savepoints too.', ['viewer', 'operator']),
  hash: text('What `ctr token` prints beside the token.', {
    pattern: /^sha256:[0-9a-f]{64}$/,
    remedy: 'write the line that `ctr token` prints: sha256: and 64 hexadecimal digits, not the token itself',
    secret: true,
  }),
})

const tls = z.strictObject({
  cert: text('Path of the certificate, PEM; read again when the file changes.', { max: 4096 }),
  key: text('Path of its private key, PEM; read again when the file changes.', { max: 4096 }),
})

/** The section `http`. */
export const httpSection = z.strictObject({
  host: defaulted(text('Address to listen on; 0.0.0.0 for all.', { max: 253 }), '127.0.0.1', '127.0.0.1'),
  port: integer('Port of /livez, /readyz, /metrics, /api/v1 and /ui; 0 takes a free one.', 9464, { min: 0, max: 65_535 }),
  tokens: listWithoutDefault(
    'Bearer tokens by their hash, each with a name and a role. With any, all but /livez, /readyz, /metrics and / wants one.',
    token,
    LIMITS.tokensMax,
  ).optional(),
  token: text('Bearer token of an operator, as it is; `http.tokens` has more of them, and no token in clear.', {
    secret: true,
    min: 8,
  }).optional(),
  localSavepoints: flag(
    'Without a token, take savepoint requests from the loopback, and so from whoever a proxy on this machine lets through.',
    false,
  ),
  tls: tls.optional().meta({ description: 'TLS; without it the server speaks plain HTTP.' }),
})

/** The section `ui`. */
export const uiSection = z.strictObject({
  products: defaulted(
    choice('How API and page show ids of products: as they are, as a hash, or not at all.', ['show', 'hash', 'hide']),
    'show',
    'show',
  ),
})
