import fastify from 'fastify'
import { expect, onTestFinished, test } from 'vitest'
import { createRegistry } from '../../src/metrics/registry.ts'
import { startServer } from '../../src/server/http.ts'
import { pathsOf, ROUTES } from '../../src/server/routes.ts'
import { addSavepoints } from '../../src/server/savepoints.ts'
import { someStats } from '../../workshop/stats.ts'

const actions = { group: 'shop', create: async () => ({}), list: async () => [], remove: async () => undefined }

async function serve(savepoints?: typeof actions, token?: string) {
  const read = () => someStats()
  const server = await startServer({
    host: '127.0.0.1',
    port: 0,
    registry: createRegistry(read),
    read,
    savepoints,
    token,
    localSavepoints: true,
  })
  onTestFinished(() => server.close())
  return server.url
}

test('the index and the answer to an unknown path name what is served, and nothing else', async () => {
  const open = ['/livez', '/readyz', '/metrics']
  for (const [url, see] of [
    [await serve(), open],
    [await serve(actions), [...open, '/savepoints']],
  ] as const) {
    expect(await (await fetch(url)).json()).toEqual({ name: 'ctr', state: 'running', see })
    expect(await (await fetch(`${url}/nothing`)).json()).toEqual({ error: 'not found', see })
    for (const path of see) expect((await fetch(url + path)).status).toBe(200)
  }
})

test('every route of the list is served, and the guarded ones ask for the token', async () => {
  const url = await serve(actions, 'secret')
  for (const { method, path, who } of Object.values(ROUTES)) {
    const { status } = await fetch(url + path.replace(':name', 'blue'), { method })
    expect([path, status]).toEqual([path, who === 'everybody' ? 200 : 401])
  }
})

test('routes of savepoints are not there when there are no savepoints', async () => {
  const url = await serve()
  for (const { method, path } of Object.values(ROUTES).filter(({ who }) => who === 'operator')) {
    expect((await fetch(url + path.replace(':name', 'blue'), { method })).status).toBe(404)
  }
})

test('no route of savepoints goes round the guard', async () => {
  const app = fastify()
  onTestFinished(() => app.close())
  addSavepoints(app, actions, async (_, reply) => void (await reply.code(418).send({})))
  for (const { method, path } of Object.values(ROUTES).filter(({ who }) => who === 'operator')) {
    expect((await app.inject({ method, url: path.replace(':name', 'blue') })).statusCode).toBe(418)
  }
})

test('paths to look at are each named once, without the index and those that vary', () => {
  expect(pathsOf(Object.values(ROUTES))).toEqual(['/livez', '/readyz', '/metrics', '/savepoints'])
  expect(pathsOf([])).toEqual([])
})
