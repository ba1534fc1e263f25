import { expect, test } from 'vitest'
import { type Asker, refusalOf } from '../../src/server/guard.ts'

const status = (asker: Asker, token?: string) => refusalOf(asker, token)?.status
const local = (headers: Asker['headers'] = {}): Asker => ({ ip: '127.0.0.1', headers: { host: 'localhost:9464', ...headers } })

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
