import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { examine } from '../../src/doctor/examine.ts'
import { judgeProbe, storeCheck } from '../../src/doctor/store-check.ts'

const root = mkdtempSync(join(tmpdir(), 'ctr-doctor-store-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

async function found(storage: string, ...sets: string[]) {
  const { checkpoint } = loadConfig({ sets: [`checkpoint.storage=${storage}`, ...sets], env: {} })
  return (await examine([storeCheck(checkpoint)], 5_000)).outcomes[0]
}

/**
 * A server that takes itself for S3: objects in memory. With `conditional` it honours If-None-Match; without, it ignores it without a word,
 * as some do.
 */
async function lookAlike(conditional: boolean) {
  const objects = new Map<string, Buffer>()
  const answer = async (request: IncomingMessage): Promise<readonly [status: number, body?: Buffer | string]> => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://s3')
    const list = searchParams.get('prefix')
    const all = [...objects.keys()].filter((key) => key.startsWith(`/bucket/${list}`))
    const items = all.map((key) => `<Contents><Key>${key.slice('/bucket/'.length)}</Key><Size>1</Size></Contents>`)
    if (list !== null) return [200, `<ListBucketResult>${items.join('')}</ListBucketResult>`]
    const object = objects.get(pathname)
    if (request.method === 'PUT') {
      const body = await buffer(request)
      if (conditional && request.headers['if-none-match'] === '*' && object !== undefined) {
        return [412, '<Error><Code>PreconditionFailed</Code></Error>']
      }
      objects.set(pathname, body)
      return [200]
    }
    if (request.method === 'DELETE') objects.delete(pathname)
    if (request.method === 'DELETE') return [204]
    return object === undefined ? [404, '<Error><Code>NoSuchKey</Code></Error>'] : [200, object]
  }
  const server = createServer((request, response) => void answer(request).then(([status, body]) => response.writeHead(status).end(body)))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const keys = { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, accessKeyId: 'a', secretAccessKey: 'b' }
  const sets = Object.entries({ ...keys, pathStyle: 'true' }).map(([key, value]) => `checkpoint.s3.${key}=${value}`)
  return { sets, objects }
}

test.each([true, false])('an S3 server whose conditional writes work: %s', async (conditional) => {
  const { sets, objects } = await lookAlike(conditional)
  const finding = await found('s3://bucket/prefix', ...sets)
  if (conditional) expect(finding).toMatchObject({ verdict: 'ok' })
  else expect(finding).toMatchObject({ verdict: 'warning', found: expect.stringContaining('ignores If-None-Match') })
  expect([...objects.keys()]).toEqual([])
})

test('a directory that is not there is not there afterwards', async () => {
  expect(await found(join(root, 'a', 'b'))).toMatchObject({ verdict: 'ok' })
  expect(existsSync(join(root, 'a'))).toBe(false)
})

test('a directory that is there keeps what it holds', async () => {
  writeFileSync(join(root, 'mine'), '')
  expect(await found(root)).toMatchObject({ verdict: 'ok' })
  expect(readdirSync(root)).toEqual(['mine'])
})

test('a file in place of the directory is a fault in the words of a start', async () => {
  const file = join(root, 'file')
  writeFileSync(file, '')
  expect(await found(file)).toMatchObject({
    verdict: 'fault',
    code: 'CTR_CHECKPOINT_STORE',
    remedy: 'move it away, or set checkpoint.storage to another place',
  })
})

test('no storage is nothing to look at', async () => {
  expect(await found('none')).toMatchObject({ verdict: 'ok', found: expect.stringContaining('restarts read from Kafka') })
})

test.each([
  [{}, 'ok', undefined],
  [{ keeps: false }, 'warning', 'ignores If-None-Match'],
  [{ same: false }, 'fault', 'does not give back'],
  [{ listed: false, gone: false }, 'fault', 'does not list what was written, and still has what was removed'],
  [{ notes: ['it is slow'] }, 'warning', 'it is slow'],
])('a store that does %j is %s', (more, verdict, part) => {
  const finding = judgeProbe('place', { keeps: true, same: true, listed: true, gone: true, notes: [], ...more })
  expect(finding.verdict).toBe(verdict)
  expect(finding.found).toContain(part ?? 'place')
})
