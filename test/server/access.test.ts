import { expect, test } from 'vitest'
import { type AccessRules, type Asker, accessRules, addressRefusal, refusalOf, tokenHash } from '../../src/server/access.ts'

const status = (asker: Asker, token?: string, localSavepoints = true) =>
  refusalOf(asker, 'operator', accessRules({ token, localSavepoints }))?.status
const local = (headers: Asker['headers'] = {}): Asker => ({ ip: '127.0.0.1', headers: { host: 'localhost:9464', ...headers } })

test('without a token and the switch nobody may ask, and is told what to set', () => {
  expect(status(local(), undefined, false)).toBe(403)
  expect(refusalOf(local(), 'operator', accessRules({}))?.error).toMatch(/give http\.tokens .*, or set http\.localSavepoints to true/)
})

test.each(['127.0.0.1', '127.1.2.3', '::1', '::ffff:127.0.0.1'])('without a token the loopback %s may ask', (ip) => {
  for (const host of ['localhost', 'localhost:9464', '127.0.0.1:9464', '[::1]:9464'])
    expect(status({ ip, headers: { host } })).toBeUndefined()
})

test.each(['10.0.0.1', '128.0.0.1', '::2', '::ffff:10.0.0.1', '1270.0.0.1', ''])('without a token %j may not', (ip) => {
  expect(status({ ip, headers: { host: 'localhost' } })).toBe(403)
})

test.each(['', 'example.com', 'localhost.example.com', '127.0.0.1.example.com', 'ctr:9464', '127.0.0'])(
  'a name like %j is not this machine',
  (host) => {
    expect(status(local({ host }))).toBe(403)
    expect(status({ ip: '127.0.0.1', headers: {} })).toBe(403)
  },
)

test.each(['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip', 'via', 'origin'])(
  'a request with %s comes for somebody else',
  (name) => {
    expect(status(local({ [name]: 'x' }))).toBe(403)
    expect(status(local({ [name]: '' }))).toBe(403)
  },
)

test('with a token everybody who bears it may ask, from wherever', () => {
  for (const authorization of ['Bearer secret', 'bearer secret']) {
    expect(status({ ip: '10.0.0.1', headers: { authorization, via: 'x' } }, 'secret')).toBeUndefined()
  }
})

test.each([undefined, '', 'secret', 'Bearer ', 'Bearer secre', 'Bearer secrets', 'Bearer secreT', 'Basic secret'])(
  'with a token %j is not enough, not even on the loopback',
  (authorization) => {
    expect(status(local({ authorization }), 'secret')).toBe(401)
  },
)

const TOKENS: AccessRules = {
  tokens: [
    { role: 'viewer', hash: tokenHash('looks') },
    { role: 'operator', hash: tokenHash('does') },
  ],
  localSavepoints: true,
}
const bearing = (token: string): Asker => ({ ip: '10.0.0.1', headers: { host: 'ctr.example', authorization: `Bearer ${token}` } })

test('a viewer reads, and an operator does both', () => {
  expect(refusalOf(bearing('looks'), 'viewer', TOKENS)).toBeUndefined()
  expect(refusalOf(bearing('looks'), 'operator', TOKENS)).toMatchObject({ status: 403, error: expect.stringContaining('viewer') })
  expect(refusalOf(bearing('does'), 'viewer', TOKENS)).toBeUndefined()
  expect(refusalOf(bearing('does'), 'operator', TOKENS)).toBeUndefined()
})

test('with tokens the loopback has to bear one too, and a hash is none', () => {
  expect(refusalOf(local(), 'viewer', TOKENS)?.status).toBe(401)
  expect(refusalOf(bearing(tokenHash('does')), 'viewer', TOKENS)?.status).toBe(401)
  expect(refusalOf(bearing('Does'), 'viewer', TOKENS)?.status).toBe(401)
})

test('without a token the loopback reads, by its own name, and nobody else does', () => {
  const rules = accessRules({})
  expect(refusalOf(local(), 'viewer', rules)).toBeUndefined()
  expect(refusalOf(local({ host: 'evil.example:9464' }), 'viewer', rules)?.status).toBe(403)
  expect(refusalOf({ ip: '10.0.0.1', headers: { host: 'localhost' } }, 'viewer', rules)?.status).toBe(403)
  expect(refusalOf(local({ via: 'proxy' }), 'viewer', rules)?.status).toBe(403)
})

test.each<[string, Asker['headers']]>([
  ['another site', { origin: 'https://elsewhere.example' }],
  ['another port of this machine', { origin: 'http://localhost:3000' }],
  ['a page without an origin', { origin: 'null' }],
  ['another site, as the browser says', { 'sec-fetch-site': 'cross-site' }],
  ['a neighbour of the site', { 'sec-fetch-site': 'same-site' }],
])('%s may not ask, whatever it bears', (_, headers) => {
  expect(refusalOf(local(headers), 'viewer', accessRules({}))?.status).toBe(403)
  expect(refusalOf(local({ ...headers, authorization: 'Bearer does' }), 'operator', TOKENS)?.status).toBe(403)
})

test('its own page may', () => {
  const headers = { origin: 'http://localhost:9464', 'sec-fetch-site': 'same-origin' }
  expect(refusalOf(local(headers), 'viewer', accessRules({}))).toBeUndefined()
  expect(refusalOf(local({ 'sec-fetch-site': 'none' }), 'viewer', accessRules({}))).toBeUndefined()
})

test.each(['/?token=x', '/api/v1/state?a=1&access_token=x', '/ui?Authorization=Bearer%20x'])('%s has a token where logs keep it', (url) => {
  expect(addressRefusal(url)?.status).toBe(400)
})

test('an address without one is none', () => {
  expect(addressRefusal('/api/v1/products/token=x?search=token')).toBeUndefined()
})
