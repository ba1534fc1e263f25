/** The socket over which a pipeline's own user asks. */
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { type IncomingMessage, request } from 'node:http'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { json } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import { askPipeline } from '../../src/cli/ask-pipeline.ts'
import { createRegistry } from '../../src/metrics/registry.ts'
import { controlPath, isOwnControl } from '../../src/server/control.ts'
import { startServer } from '../../src/server/http.ts'
import { makeFolder } from '../../src/store/file-store.ts'
import { someStats } from '../../workshop/stats.ts'

let control: string
beforeEach(() => {
  control = mkdtempSync(join(tmpdir(), 'ctr-control-'))
})
afterEach(() => rmSync(control, { recursive: true, force: true }))

async function serve(token?: string, directory = control, port = 0) {
  const names = new Set<string>()
  const create = async (name: string) => {
    names.add(name)
    return { tasks: [0], cells: 1, bytes: 1 }
  }
  const remove = async (name: string) => names.delete(name)
  const savepoints = { group: 'ctr', create, list: async () => [...names].map((name) => ({ name })), remove }
  const read = () => someStats()
  const server = await startServer({
    host: '127.0.0.1',
    port,
    registry: createRegistry(read),
    read,
    savepoints,
    token,
    control: { directory, makeFolder },
  })
  let open = true
  const close = async () => {
    if (open) await server.close()
    open = false
  }
  onTestFinished(close)
  return { names, url: server.url, port: Number(new URL(server.url).port), close }
}

async function ask(socketPath: string, path: string) {
  const asked = request({ socketPath, path, agent: false }).end()
  const [response] = (await once(asked, 'response')) as [IncomingMessage]
  return [response.statusCode, await json(response)]
}

test.each([undefined, 'long-enough'])('its user needs no token, whether there is one (%s) or not', async (token) => {
  const { port, url } = await serve(token)
  const path = controlPath(control, port)
  expect(await ask(path, '/savepoints')).toEqual([200, { savepoints: [] }])
  expect((await fetch(`${url}/savepoints`)).status).toBe(token === undefined ? 403 : 401)
  expect(statSync(dirname(path)).mode & 0o777).toBe(0o700)
})

test('ctr savepoint goes that way, by the configuration alone or by the address', async () => {
  const { names, port, url } = await serve()
  const set = [`checkpoint.storage=${control}`, `http.port=${port}`]
  expect((await askPipeline('create', 'blue', { set }))?.text).toMatch(/^savepoint blue: 1 task of the pipeline at http:/)
  expect([...names]).toEqual(['blue'])
  expect((await askPipeline('delete', 'blue', { set: [`checkpoint.storage=file://${control}`], url }))?.text).toMatch(/is gone/)
  expect(names.size).toBe(0)
})

test('without the socket the command says what to set', async () => {
  const { url } = await serve()
  await expect(askPipeline('create', 'blue', { set: ['checkpoint.storage=s3://bucket'], url })).rejects.toThrow(
    /savepoints over HTTP are off: give http\.tokens .* or set http\.localSavepoints to true/,
  )
})

test('a socket that a killed pipeline left is taken over; the socket goes with its pipeline', async () => {
  const first = await serve()
  const path = controlPath(control, first.port)
  await first.close()
  expect(existsSync(path)).toBe(false)
  writeFileSync(path, '')
  const second = await serve(undefined, control, first.port)
  expect((await ask(controlPath(control, second.port), '/savepoints'))[0]).toBe(200)
})

test('a folder that others may enter is made the user’s own, and one that is not is not asked', async () => {
  const folder = join(control, '.control')
  mkdirSync(folder)
  chmodSync(folder, 0o777)
  expect(isOwnControl(controlPath(control, 1))).toBe(false)
  await serve()
  expect(isOwnControl(controlPath(control, 1))).toBe(true)
  expect(isOwnControl(controlPath(join(control, 'nowhere'), 1))).toBe(false)
})

test('where there can’t be such a socket the server works without', async () => {
  for (const directory of [join(control, 'x'.repeat(100)), '/proc/nowhere/checkpoints', join(control, 'file', 'below')]) {
    writeFileSync(join(control, 'file'), '')
    const { port, url } = await serve(undefined, directory)
    expect(existsSync(controlPath(directory, port))).toBe(false)
    expect((await fetch(`${url}/livez`)).status).toBe(200)
  }
})
