/** A bucket as a store, on a real S3 server: objects, conditional writes, lost answers, and what the operator is told. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type S3StoreOptions, s3Store } from '../../src/store/s3-store.ts'
import { startS3Proxy } from '../../workshop/s3-proxy.ts'
import { S3_START_MAX_MS, type S3Server, startS3 } from '../../workshop/s3-server.ts'
import { createAuthority } from '../../workshop/tls.ts'
import { refusal } from '../support/refusal.ts'

let server: S3Server
let bucket: string

beforeAll(async () => {
  server = await startS3()
  bucket = await server.bucket()
}, S3_START_MAX_MS)
afterAll(() => server?.stop())

let prefixes = 0
const options = (more: Partial<S3StoreOptions> = {}): S3StoreOptions => ({
  bucket,
  prefix: `p/${++prefixes}`,
  endpoint: server.endpoint,
  region: 'us-east-1',
  pathStyle: true,
  accessKeyId: server.accessKeyId,
  secretAccessKey: server.secretAccessKey,
  ...more,
})
const open = (more: Partial<S3StoreOptions> = {}) => s3Store(options(more))

const bytes = (text: string) => new Uint8Array(Buffer.from(text))
const text = (got: Uint8Array | undefined) => (got === undefined ? undefined : Buffer.from(got).toString())

describe('objects', () => {
  test('are written, replaced, read, listed and removed', async () => {
    const store = await open()
    expect(store.place).toBe(`s3://${bucket}/p/${prefixes}`)
    expect(await store.get('g/a')).toBeUndefined()
    expect(await store.list('')).toEqual([])
    for (const [key, value] of Object.entries({ 'g%2F1/b/2': 'two', 'g%2F1/b/10': 'ten', 'g%2F1/c': 'c', '%2E%2E/d': '' }))
      expect(await store.put(key, bytes(value))).toBe(true)
    expect(await store.put('g%2F1/c', bytes('longer'))).toBe(true)
    expect(text(await store.get('g%2F1/c'))).toBe('longer')
    expect(text(await store.get('%2E%2E/d'))).toBe('')
    expect(await store.list('')).toEqual([
      { key: '%2E%2E/d', bytes: 0 },
      { key: 'g%2F1/b/10', bytes: 3 },
      { key: 'g%2F1/b/2', bytes: 3 },
      { key: 'g%2F1/c', bytes: 6 },
    ])
    expect((await store.list('g%2F1/b/1')).map(({ key }) => key)).toEqual(['g%2F1/b/10'])
    await store.remove(['g%2F1/b/2', 'g%2F1/b/10', 'g%2F1/nothing'])
    expect((await store.list('g')).map(({ key }) => key)).toEqual(['g%2F1/c'])
    await store.close()
  })

  test('of other prefixes are not seen, and without a prefix the bucket is the store', async () => {
    const own = await server.bucket()
    const whole = await open({ bucket: own, prefix: '' })
    const part = await open({ bucket: own, prefix: 'x' })
    await whole.put('xy/a', bytes('1'))
    await part.put('a', bytes('2'))
    expect((await whole.list('')).map(({ key }) => key)).toEqual(['x/a', 'xy/a'])
    expect((await part.list('')).map(({ key }) => key)).toEqual(['a'])
    expect([whole.place, part.place]).toEqual([`s3://${own}`, `s3://${own}/x`])
  })

  test('keep all their bytes, and more than a page of them is listed', async () => {
    const store = await open()
    const large = Uint8Array.from({ length: 9_000_000 }, (_, i) => (i * 31) >> 3)
    await store.put('large', large)
    expect(Buffer.compare((await store.get('large'))!, large)).toBe(0)
    const keys = Array.from({ length: 1005 }, (_, i) => `k/${String(i).padStart(4, '0')}`)
    for (let at = 0; at < keys.length; at += 50) await Promise.all(keys.slice(at, at + 50).map((key) => store.put(key, bytes(key))))
    expect((await store.list('k/')).map(({ key }) => key)).toEqual(keys)
    await store.remove(keys)
    expect(await store.list('k/')).toEqual([])
  })
})

describe('ifAbsent', () => {
  test('never overwrites, and takes the same bytes for its own', async () => {
    const store = await open()
    expect(await store.put('k', bytes('first'), { ifAbsent: true })).toBe(true)
    expect(await store.put('k', bytes('second'), { ifAbsent: true })).toBe(false)
    expect(await store.put('k', bytes('first'), { ifAbsent: true })).toBe(true)
    expect(text(await store.get('k'))).toBe('first')
  })

  test('lets one of many writers win', async () => {
    const store = await open()
    for (let round = 0; round < 5; round++) {
      const values = Array.from({ length: 6 }, (_, i) => bytes(`writer ${i}`))
      const won = await Promise.all(values.map((value) => store.put(`k${round}`, value, { ifAbsent: true })))
      expect(won.filter(Boolean)).toHaveLength(1)
      expect(text(await store.get(`k${round}`))).toBe(text(values[won.indexOf(true)]))
    }
  })

  test('is told by a warning, once, where the server knows no conditional PUT', async () => {
    await using proxy = await startS3Proxy(server.endpoint)
    proxy.onHeader.set('if-none-match', { kind: 'error', status: 501, code: 'NotImplemented' })
    const warnings: string[] = []
    const store = await open({ endpoint: proxy.endpoint, warn: (message) => warnings.push(message) })
    expect(await store.put('k', bytes('first'), { ifAbsent: true })).toBe(true)
    expect(await store.put('k', bytes('second'), { ifAbsent: true })).toBe(false)
    expect(await store.put('k', bytes('first'), { ifAbsent: true })).toBe(true)
    expect(warnings).toEqual([expect.stringContaining('no conditional PUT')])
  })

  test('is tried again when somebody deletes the key at that moment', async () => {
    await using proxy = await startS3Proxy(server.endpoint)
    const store = await open({ endpoint: proxy.endpoint })
    proxy.next.push(['PUT', { kind: 'error', status: 409, code: 'ConditionalRequestConflict' }])
    expect(await store.put('k', bytes('x'), { ifAbsent: true })).toBe(true)
    expect(proxy.seen).toEqual(['PUT', 'PUT'])
  })
})

describe('on a bad network', () => {
  test('a PUT whose answer is lost counts as done, conditional or not', async () => {
    await using proxy = await startS3Proxy(server.endpoint)
    const store = await open({ endpoint: proxy.endpoint })
    proxy.next.push(['PUT', { kind: 'lose-answer' }])
    expect(await store.put('k', bytes('mine'), { ifAbsent: true })).toBe(true)
    expect(proxy.seen).toEqual(['PUT', 'PUT', 'GET'])
    proxy.next.push(['PUT', { kind: 'lose-answer' }])
    expect(await store.put('k', bytes('mine, newer'))).toBe(true)
    expect(text(await store.get('k'))).toBe('mine, newer')
  })

  test('an answer that is lost does not hide that somebody else was first', async () => {
    await using proxy = await startS3Proxy(server.endpoint)
    const store = await open({ endpoint: proxy.endpoint })
    await store.put('k', bytes('theirs'))
    proxy.next.push(['PUT', { kind: 'lose-answer' }])
    expect(await store.put('k', bytes('mine'), { ifAbsent: true })).toBe(false)
  })

  test.each([
    ['PUT', { kind: 'reset' }],
    ['PUT', { kind: 'error', status: 503, code: 'SlowDown' }],
    ['PUT', { kind: 'error', status: 500, code: 'InternalError' }],
    ['GET', { kind: 'reset' }],
    ['GET', { kind: 'cut-answer', afterBytes: 1 }],
    ['DELETE', { kind: 'lose-answer' }],
  ] as const)('a %s with %j is done all the same', async (method, fault) => {
    await using proxy = await startS3Proxy(server.endpoint)
    const store = await open({ endpoint: proxy.endpoint })
    if (method !== 'PUT') await store.put('k', bytes('value'))
    proxy.next.push([method, fault])
    if (method === 'PUT') await store.put('k', bytes('value'))
    if (method === 'DELETE') await store.remove(['k'])
    expect(text(await store.get('k'))).toBe(method === 'DELETE' ? undefined : 'value')
    expect(proxy.next).toEqual([])
  })

  test('a connection that falls silent is given up, and the call made again', async () => {
    await using proxy = await startS3Proxy(server.endpoint)
    const store = await open({ endpoint: proxy.endpoint, silenceMaxMs: 200 })
    proxy.next.push(['PUT', { kind: 'hang' }], ['GET', { kind: 'hang' }])
    expect(await store.put('k', bytes('x'), { ifAbsent: true })).toBe(true)
    expect(text(await store.get('k'))).toBe('x')
    for (let i = 0; i < 4; i++) proxy.next.push(['GET', { kind: 'hang' }])
    const error = await refusal(store.get('k'))
    expect(error).toMatchObject({ code: 'CTR_CHECKPOINT_STORE', retriable: true })
    expect(error.message).toContain(`checkpoint.s3.endpoint: ${proxy.endpoint} does not answer (`)
  })

  test('a failure that stays is told, and may pass', async () => {
    await using proxy = await startS3Proxy(server.endpoint)
    const store = await open({ endpoint: proxy.endpoint })
    for (let i = 0; i < 4; i++) proxy.next.push(['PUT', { kind: 'error', status: 503, code: 'SlowDown' }])
    const error = await refusal(store.put('k', bytes('x')))
    expect(error).toMatchObject({ code: 'CTR_CHECKPOINT_STORE', retriable: true })
    expect(error.message).toContain(`checkpoint.storage: ${store.place} fails (SlowDown, HTTP 503`)
  })

  test('an abort ends a call that gets no answer', async () => {
    await using proxy = await startS3Proxy(server.endpoint)
    const store = await open({ endpoint: proxy.endpoint })
    const reason = new Error('too slow')
    for (const [method, work] of [
      ['PUT', (signal: AbortSignal) => store.put('k', bytes('x'), { signal })],
      ['PUT', (signal: AbortSignal) => store.put('k', bytes('x'), { signal, ifAbsent: true })],
      ['GET', (signal: AbortSignal) => store.get('k', signal)],
      ['GET', (signal: AbortSignal) => store.list('', signal)],
    ] as const) {
      const controller = new AbortController()
      proxy.next.push([method, { kind: 'hang' }])
      setTimeout(() => controller.abort(reason), 30)
      expect(await refusal(work(controller.signal))).toBe(reason)
    }
  })
})

describe('trouble is explained', () => {
  const told = async (more: Partial<S3StoreOptions>) => {
    const { code, message, retriable } = await refusal((await open({ prefix: 'p', ...more })).put('k', bytes('x')))
    expect(code).toBe('CTR_CHECKPOINT_STORE')
    return { message, retriable }
  }

  test('a bucket that is not there', async () => {
    const message = 'checkpoint.storage: there is no bucket ctr-nowhere; create it, or mend the name'
    expect(await told({ bucket: 'ctr-nowhere' })).toEqual({ message, retriable: false })
    expect((await refusal((await open({ bucket: 'ctr-nowhere' })).get('k'))).message).toBe(message)
    expect((await refusal((await open({ bucket: 'ctr-nowhere' })).list(''))).message).toBe(message)
  })

  test('wrong keys', async () => {
    const keys = 'checkpoint.s3.accessKeyId, checkpoint.s3.secretAccessKey'
    const secret = await told({ secretAccessKey: 'wrong' })
    expect(secret).toEqual({
      message: `${keys}: s3://${bucket}/p refuses the credentials (SignatureDoesNotMatch, HTTP 403); check both`,
      retriable: false,
    })
    expect((await told({ accessKeyId: 'wrong' })).message).toContain(`${keys}: s3://${bucket}/p refuses the credentials (`)
  })

  test('a refusal by policy, and a wrong region', async () => {
    await using proxy = await startS3Proxy(server.endpoint)
    proxy.next.push(['PUT', { kind: 'error', status: 403, code: 'AccessDenied' }])
    expect((await told({ endpoint: proxy.endpoint })).message).toContain('gives no right to do this (AccessDenied, HTTP 403)')
    proxy.next.push(['PUT', { kind: 'error', status: 400, code: 'AuthorizationHeaderMalformed' }])
    expect((await told({ endpoint: proxy.endpoint })).message).toContain('checkpoint.s3.region: ')
  })

  test('a server that is not there', async () => {
    const { message, retriable } = await told({ endpoint: 'http://127.0.0.1:1' })
    expect(message).toBe('checkpoint.s3.endpoint: http://127.0.0.1:1 does not answer (ECONNREFUSED); check that it runs and can be reached')
    expect(retriable).toBe(true)
  })

  test('a certificate that nobody vouches for, and the wrong scheme', async () => {
    const authority = createAuthority()
    await using proxy = await startS3Proxy(server.endpoint, authority.issue('localhost'))
    const untrusted = await told({ endpoint: proxy.endpoint })
    expect(untrusted.message).toContain(`checkpoint.s3.endpoint: the certificate of ${proxy.endpoint} is not trusted (`)
    expect(untrusted.message).toContain('NODE_EXTRA_CA_CERTS')
    expect(untrusted.retriable).toBe(false)
    const scheme = await told({ endpoint: server.endpoint.replace('http:', 'https:') })
    expect(scheme.message).toContain('check http:// or https://, and the port')
  })

  test('a web server that is no S3 server', async () => {
    await using proxy = await startS3Proxy(server.endpoint)
    proxy.next.push(['PUT', { kind: 'error', status: 405, code: 'MethodNotAllowed' }])
    expect((await told({ endpoint: proxy.endpoint })).message).toContain('check that it is an S3 server')
  })
})
