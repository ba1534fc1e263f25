/**
 * Throw-away certificates for TLS tests, written in DER by hand so that no tool needs to be installed: a self-signed authority and
 * certificates signed by it for `localhost` and 127.0.0.1. ECDSA P-256 with SHA-256, valid from yesterday for ten years.
 */
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'

export interface Certificate {
  /** PEM. */
  readonly cert: string
  /** PEM, PKCS8. */
  readonly key: string
}

export interface Authority {
  /** PEM of the authority's own certificate: what a client must trust. */
  readonly caPem: string
  /** A certificate for `localhost` and 127.0.0.1, for servers and clients alike. */
  issue(commonName: string): Certificate
}

const TAG = { integer: 2, bits: 3, octets: 4, oid: 6, utf8: 12, utcTime: 23, sequence: 48, set: 49 }
const DAY_MS = 86_400_000

/** A new authority with a fresh key. */
export function createAuthority(commonName = 'ctr test authority'): Authority {
  const keys = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const identifier = keyIdentifier(keys.publicKey)
  const extensions = [
    extension('551d13', true, der(TAG.sequence, Buffer.from([1, 1, 255]))),
    extension('551d0f', true, der(TAG.bits, Buffer.from([1, 0x06]))),
    extension('551d0e', false, der(TAG.octets, identifier)),
  ]
  const caPem = certify({ subject: commonName, issuer: commonName, publicKey: keys.publicKey, signingKey: keys.privateKey, extensions })
  return {
    caPem,
    issue(subject) {
      const own = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
      const names = der(TAG.sequence, der(0x82, Buffer.from('localhost')), der(0x87, Buffer.from([127, 0, 0, 1])))
      const cert = certify({
        subject,
        issuer: commonName,
        publicKey: own.publicKey,
        signingKey: keys.privateKey,
        extensions: [extension('551d11', false, names), extension('551d23', false, der(TAG.sequence, der(0x80, identifier)))],
      })
      return { cert, key: own.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() }
    },
  }
}

interface Request {
  subject: string
  issuer: string
  publicKey: KeyObject
  signingKey: KeyObject
  extensions: Buffer[]
}

function certify(request: Request): string {
  const ecdsaWithSha256 = der(TAG.sequence, oid('2a8648ce3d040302'))
  const serial = Buffer.concat([Buffer.from([1]), randomBytes(8)])
  const body = der(
    TAG.sequence,
    der(0xa0, der(TAG.integer, Buffer.from([2]))),
    der(TAG.integer, serial),
    ecdsaWithSha256,
    name(request.issuer),
    der(TAG.sequence, time(Date.now() - DAY_MS), time(Date.now() + 3650 * DAY_MS)),
    name(request.subject),
    request.publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, der(TAG.sequence, ...request.extensions)),
  )
  const signature = der(TAG.bits, Buffer.from([0]), sign('sha256', body, request.signingKey))
  const lines = der(TAG.sequence, body, ecdsaWithSha256, signature).toString('base64').replace(/.{64}/g, '$&\n')
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`
}

function der(tag: number, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts)
  const size = body.length
  const length = size < 128 ? [size] : size < 256 ? [0x81, size] : [0x82, size >> 8, size & 255]
  return Buffer.concat([Buffer.from([tag, ...length]), body])
}

function oid(hex: string): Buffer {
  return der(TAG.oid, Buffer.from(hex, 'hex'))
}

function name(commonName: string): Buffer {
  return der(TAG.sequence, der(TAG.set, der(TAG.sequence, oid('550403'), der(TAG.utf8, Buffer.from(commonName)))))
}

function time(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replace(/[-:T]/g, '').slice(2, 14)
  return der(TAG.utcTime, Buffer.from(`${digits}Z`))
}

function extension(identifier: string, critical: boolean, value: Buffer): Buffer {
  const flag = critical ? [Buffer.from([1, 1, 255])] : []
  return der(TAG.sequence, oid(identifier), ...flag, der(TAG.octets, value))
}

function keyIdentifier(key: KeyObject): Buffer {
  return createHash('sha1')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest()
}
