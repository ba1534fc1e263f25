import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { fetchSchema } from '../../src/registry/fetch-schema.ts'
import { RegistryClient, type RegistryPlace } from '../../src/registry/registry-client.ts'
import { type RegistryFault, type RegistryProxy, startRegistryProxy } from '../../workshop/registry-proxy.ts'
import { createAuthority } from '../../workshop/tls.ts'

const ID = '/schemas/ids/1'
const FOUND = '{"schema":"\\"string\\"","schemaType":"AVRO"}'
const answer = (status: number, body = '', headers: Record<string, string> = {}): RegistryFault => ({
  kind: 'answer',
  status,
  body,
  headers,
})

let registry: RegistryProxy
let other: RegistryProxy
const clients: RegistryClient[] = []
const time = { now: 0 }

beforeEach(async () => {
  registry = await startRegistryProxy()
  other = await startRegistryProxy()
})
afterEach(async () => {
  for (const client of clients.splice(0)) client.close()
  await registry[Symbol.asyncDispose]()
  await other[Symbol.asyncDispose]()
})

function clientOf(place: Partial<RegistryPlace> = {}): RegistryClient {
  const client = new RegistryClient(
    { url: [registry.url], requestTimeout: 1_000, ...place },
    () => time.now,
    () => time.now,
  )
  clients.push(client)
  return client
}

const says = (proxy: RegistryProxy, fault: RegistryFault, path = /./) => {
  proxy.fault = { path, fault }
}

describe('what a registry answers', () => {
  const cases: [name: string, RegistryFault, outcome: string, error: { code: string; message: RegExp } | undefined][] = [
    ['200 is what was asked for', answer(200, FOUND), 'found', undefined],
    [
      '404 with a code of the registry: it does not know it',
      answer(404, '{"error_code":40403,"message":"Schema 1 not found"}'),
      'unknown',
      { code: 'CTR_SCHEMA_UNKNOWN', message: /does not know it \(Schema 1 not found\)/ },
    ],
    [
      '404 without: it is no registry, and says nothing of schemas',
      answer(404, '{"error_code":404,"message":"HTTP 404 Not Found"}'),
      'refused',
      { code: 'CTR_REGISTRY_REFUSED', message: /no schema registry \(404: HTTP 404 Not Found\); .*\/apis\/ccompat\/v7/ },
    ],
    [
      '404 of whatever else listens there',
      answer(404, '<html>nothing</html>'),
      'refused',
      { code: 'CTR_REGISTRY_REFUSED', message: /404: <html>/ },
    ],
    [
      '200 of whatever else listens there',
      answer(200, '<html>hello</html>'),
      'refused',
      { code: 'CTR_REGISTRY_REFUSED', message: /is no JSON/ },
    ],
    [
      'a redirection, to a login for example',
      answer(302, '', { location: '/login' }),
      'refused',
      { code: 'CTR_REGISTRY_REFUSED', message: /302/ },
    ],
    [
      '401',
      answer(401, '{"error_code":401,"message":"Unauthorized"}'),
      'denied',
      { code: 'CTR_REGISTRY_AUTH', message: /auth: .*401: Unauthorized/ },
    ],
    ['403', answer(403, 'no'), 'denied', { code: 'CTR_REGISTRY_AUTH', message: /403: no\); check its username/ }],
    ['500', answer(500, 'oh\u001b[31m'), 'failed', { code: 'CTR_REGISTRY_UNREACHABLE', message: /fails \(500: oh\\x1b/ }],
    [
      'a connection that breaks',
      { kind: 'reset' },
      'failed',
      { code: 'CTR_REGISTRY_UNREACHABLE', message: /does not answer \(socket hang up\)/ },
    ],
  ]
  test.each(cases)('%s', async (_, fault, outcome, error) => {
    const client = clientOf()
    says(registry, fault)
    const asking = client.get(ID)
    if (error === undefined) expect(await asking).toEqual({ schema: '"string"', schemaType: 'AVRO' })
    else await expect(asking).rejects.toMatchObject({ retriable: true, code: error.code, message: expect.stringMatching(error.message) })
    expect(client.requests).toEqual({ found: 0, unknown: 0, denied: 0, limited: 0, refused: 0, failed: 0, [outcome]: 1 })
  })

  test('a token that no header can have is a failure like others', async () => {
    const client = clientOf({ auth: { token: 's3cret\n' } })
    const message = expect.stringMatching(/^schemaRegistry.auth.token: can't be sent to (?!.*s3cret).*no line end/)
    await expect(client.get(ID)).rejects.toMatchObject({ retriable: true, code: 'CTR_REGISTRY_REFUSED', message })
    expect(client.requests.failed).toBe(1)
  })

  test.each([{ kind: 'silent' }, { kind: 'endless' }, { kind: 'slow', ms: 2_000 }] as const)(
    '$kind: it is given up in time',
    async (fault) => {
      const client = clientOf({ requestTimeout: 150 })
      says(registry, fault)
      const began = performance.now()
      await expect(client.get(ID)).rejects.toMatchObject({
        code: 'CTR_REGISTRY_UNREACHABLE',
        message: expect.stringMatching(/has not answered within schemaRegistry.requestTimeout \(150ms\); look/),
      })
      expect(performance.now() - began).toBeLessThan(1_000)
    },
  )

  test('slower than usual, in time', async () => {
    says(registry, { kind: 'slow', ms: 50 })
    await expect(clientOf().get(ID)).rejects.toMatchObject({ code: 'CTR_REGISTRY_REFUSED' })
  })

  test('more than memory is meant for', async () => {
    says(registry, answer(200, JSON.stringify({ schema: 'x'.repeat(9 * 1024 * 1024) })))
    await expect(clientOf().get(ID)).rejects.toThrow('more than 8MiB')
  })

  test('nobody is there', async () => {
    await registry.cut()
    await expect(clientOf().get(ID)).rejects.toMatchObject({
      code: 'CTR_REGISTRY_UNREACHABLE',
      message: expect.stringMatching(/^schemaRegistry.url: http:.* does not answer \(connect ECONNREFUSED.*; check that it runs/),
    })
  })
})

describe('429', () => {
  test.each([
    ['7', 7_000],
    [new Date(20_000).toUTCString(), 20_000],
    ['soon', 1_000],
    [undefined, 1_000],
    ['86400', 300_000],
  ])('Retry-After: %s lets it alone for so long and no longer', async (after, ms) => {
    time.now = 0
    const client = clientOf()
    says(registry, answer(429, '{"error_code":429,"message":"Rate limited"}', after === undefined ? {} : { 'retry-after': after }))
    await expect(client.get(ID)).rejects.toThrow('wants to be left alone')
    says(registry, answer(200, FOUND))
    time.now = ms - 1
    await expect(client.get(ID)).rejects.toThrow('asked to be left alone')
    expect(registry.seen.length).toBe(1)
    time.now = ms
    await client.get(ID)
    expect(client.requests).toMatchObject({ limited: 1, found: 1 })
  })
})

test('a pause is as long as it was said, though the wall clock is set back meanwhile', async () => {
  const wall = { now: 1_800_000_000_000 }
  const client = new RegistryClient(
    { url: [registry.url], requestTimeout: 1_000 },
    () => wall.now,
    () => time.now,
  )
  clients.push(client)
  time.now = 0
  const until = new Date(wall.now + 7_000).toUTCString()
  says(registry, answer(429, '', { 'retry-after': until }))
  await expect(client.get(ID)).rejects.toThrow('wants to be left alone for 7s')
  says(registry, answer(200, FOUND))
  wall.now -= 3_600_000
  time.now = 6_999
  await expect(client.get(ID)).rejects.toThrow('asked to be left alone')
  time.now = 7_000
  await client.get(ID)
})

describe('several addresses of one registry', () => {
  const both = () => clientOf({ url: [registry.url, other.url], requestTimeout: 150 })

  test.each([
    ['down', undefined],
    ['silent', { kind: 'silent' }],
    ['failing', answer(503)],
    ['limited', answer(429)],
    ['refusing', answer(401)],
    ['behind the others', answer(404, '{"error_code":40403,"message":"not yet"}')],
  ] as const)('the first is %s: the next is asked, and first from then on', async (_, fault) => {
    const client = both()
    if (fault === undefined) await registry.cut()
    else says(registry, fault)
    says(other, answer(200, FOUND))
    await client.get(ID)
    const asked = registry.seen.length
    await client.get(ID)
    expect(registry.seen.length).toBe(asked)
    expect(other.seen.length).toBe(2)
    // And back, when its turn is over.
    await other.cut()
    if (fault === undefined) await registry.mend()
    says(registry, answer(200, FOUND))
    time.now += 1_000
    await client.get(ID)
  })

  test('that all fail: what tells most is thrown', async () => {
    const client = both()
    await registry.cut()
    says(other, answer(404, '{"error_code":40403,"message":"not found"}'))
    await expect(client.get(ID)).rejects.toMatchObject({ code: 'CTR_SCHEMA_UNKNOWN' })
    says(other, answer(403))
    await expect(client.get(ID)).rejects.toMatchObject({ code: 'CTR_REGISTRY_AUTH' })
  })
})

describe('who asks', () => {
  test('says user and password, also with signs beyond ASCII', async () => {
    registry.authorization = `Basic ${Buffer.from('kéy:s:e').toString('base64')}`
    says(registry, answer(200, FOUND))
    await clientOf({ auth: { username: 'kéy', password: 's:e' } }).get(ID)
    await expect(clientOf().get(ID)).rejects.toMatchObject({ code: 'CTR_REGISTRY_AUTH' })
  })

  test('says a token, which no message repeats', async () => {
    registry.authorization = 'Bearer t0ken'
    says(registry, answer(200, FOUND))
    await clientOf({ auth: { token: 't0ken' } }).get(ID)
    const wrong = await clientOf({ auth: { token: 'wr0ng' } })
      .get(ID)
      .catch(String)
    expect(wrong).toContain('401: Unauthorized')
    expect(wrong).not.toContain('wr0ng')
  })

  test('trusts the authorities that are given, and shows a certificate', async () => {
    const authority = createAuthority()
    const server = authority.issue('localhost')
    const client = authority.issue('ctr')
    await using secure = await startRegistryProxy(undefined, {
      ...server,
      ca: authority.caPem,
      requestCert: true,
      rejectUnauthorized: true,
    })
    says(secure, answer(200, FOUND))
    const tls = { ca: authority.caPem, ...client }
    await clientOf({ url: [secure.url], tls }).get(ID)
    await expect(clientOf({ url: [secure.url], tls: client }).get(ID)).rejects.toMatchObject({
      code: 'CTR_REGISTRY_REFUSED',
      message: expect.stringContaining('schemaRegistry.tls.ca: the certificate'),
    })
    await expect(clientOf({ url: [secure.url], tls: { ca: authority.caPem } }).get(ID)).rejects.toMatchObject({ retriable: true })
    await expect(clientOf({ url: [registry.url.replace('http:', 'https:')] }).get(ID)).rejects.toMatchObject({
      code: 'CTR_REGISTRY_REFUSED',
      message: expect.stringContaining('does not speak TLS as wanted'),
    })
  })

  test('puts the path behind that of the address', async () => {
    says(registry, answer(200, FOUND))
    await clientOf({ url: [`${registry.url}/apis/ccompat/v7/`] }).get(ID)
    expect(registry.seen).toEqual(['GET /apis/ccompat/v7/schemas/ids/1'])
  })
})

describe('from a key to a schema', () => {
  const asking = (bodies: Record<string, unknown>) => {
    const asked: string[] = []
    const get = async (path: string, baseOf = (url: string) => url) => {
      asked.push(baseOf('http://r/apis/ccompat/v7') + path)
      return bodies[path]
    }
    return { asked, client: { get } }
  }

  test('what it refers to comes before it, each once, whatever it is called', async () => {
    const refer = (name: string, subject: string) => ({ name, subject, version: 1 })
    const { asked, client } = asking({
      '/schemas/ids/1': { schema: 'top', references: [refer('a', 'A/x'), refer('b', 'B')] },
      '/subjects/A%2Fx/versions/1?deleted=true': { schema: 'a', references: [refer('c', 'C')] },
      '/subjects/B/versions/1?deleted=true': { schema: 'b', references: [refer('c', 'C'), refer('a', 'A/x')] },
      '/subjects/C/versions/1?deleted=true': { schema: 'c', references: null },
    })
    const references = ['c', 'a', 'b'].map((name) => ({ name, text: name }))
    expect(await fetchSchema(client, 'id:1')).toEqual({ type: 'avro', text: 'top', references })
    expect(asked.length).toBe(4)
  })

  test('a circle of references ends', async () => {
    const { client } = asking({
      '/schemas/ids/1': { schema: 'top', schemaType: 'PROTOBUF', references: [{ name: 'a', subject: 'A', version: 1 }] },
      '/subjects/A/versions/1?deleted=true': { schema: 'a', references: [{ name: 'a', subject: 'A', version: 1 }] },
    })
    expect(await fetchSchema(client, 'id:1')).toMatchObject({ type: 'protobuf', references: [{ name: 'a' }] })
  })

  test('a GUID, and an id of Apicurio', async () => {
    const { asked, client } = asking({
      '/schemas/guids/0-1': { schema: 'x', schemaType: 'JSON' },
      '/search/versions?globalId=5': { versions: [{ contentId: 3 }] },
      '/schemas/ids/3': { schema: 'y' },
      '/search/versions?globalId=6': { versions: [] },
    })
    expect(await fetchSchema(client, 'guid:0-1')).toMatchObject({ type: 'json-schema', text: 'x' })
    expect(await fetchSchema(client, 'apicurio:5')).toMatchObject({ text: 'y' })
    expect(asked[1]).toBe('http://r/apis/registry/v3/search/versions?globalId=5')
    await expect(fetchSchema(client, 'apicurio:6')).rejects.toMatchObject({ code: 'CTR_SCHEMA_UNKNOWN' })
  })

  test.each([
    ['a type that nobody here reads', 'id:1', { schema: 'x', schemaType: 'THRIFT' }, 'its type is THRIFT'],
    ['an answer that is no schema', 'id:1', { hello: 1 }, 'no schema'],
    ['too much', 'id:1', { schema: 'x'.repeat(4 * 1024 * 1024 + 1) }, 'more than 4MiB'],
    ['AWS Glue', 'glue:0-1', {}, 'schemaFile'],
    [
      'a reference to what is no text',
      'id:1',
      { schema: 'x', references: [{ name: 'a', subject: '\ud800', version: 1 }] },
      'a subject that is no text ("\\ud800")',
    ],
  ])('what can not be used says so: %s', async (_, key, body, said) => {
    const refusing = fetchSchema(asking({ '/schemas/ids/1': body }).client, key)
    await expect(refusing).rejects.toMatchObject({ code: 'CTR_REGISTRY_REFUSED', message: expect.stringContaining(said) })
  })

  test.each([
    [1_000, true],
    [1_001, false],
  ])('%i references: %s', async (count, fits) => {
    const references = Array.from({ length: count }, (_, i) => ({ name: `n${i}`, subject: `S${i}`, version: 1 }))
    const bodies = Object.fromEntries(references.map(({ subject }) => [`/subjects/${subject}/versions/1?deleted=true`, { schema: 'x' }]))
    const asked = fetchSchema(asking({ ...bodies, '/schemas/ids/1': { schema: 'x', references } }).client, 'id:1')
    if (fits) expect((await asked).references.length).toBe(count)
    else await expect(asked).rejects.toThrow('more than 1000 others')
  })
})
