/** Who answers at an address, and what is said when that can't be told. */
import { once } from 'node:events'
import { createServer as createPlain, type RequestListener, type Server } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { askPipeline } from '../../src/cli/ask-pipeline.ts'
import { topVerb } from '../../src/cli/top.ts'
import { uiVerb } from '../../src/cli/ui.ts'
import { wayTo } from '../../src/cli/way-to-pipeline.ts'
import { createAuthority } from '../../workshop/tls.ts'

async function portOf(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return (server.address() as AddressInfo).port
}

const greet: RequestListener = (_, response) => void response.end('{"name":"ctr"}')
const secret = async () => `https://127.0.0.1:${await portOf(createServer(createAuthority().issue('ctr'), greet))}`

test('a pipeline whose certificate is not trusted is not taken for none, by any verb', async () => {
  const url = await secret()
  const untrusted = { code: 'CTR_CONFIG', message: expect.stringMatching(/^http\.tls: .* is not trusted \(.*NODE_EXTRA_CA_CERTS/) }
  await expect(uiVerb({ set: [], url, print: true })).rejects.toMatchObject(untrusted)
  await expect(topVerb({ set: [], url, once: true })).rejects.toMatchObject(untrusted)
  // Without --url a savepoint would be made of what is in the store.
  const tls = ['http.tls.cert=/dev/null', 'http.tls.key=/dev/null']
  const set = [...tls, `http.port=${new URL(url).port}`, 'checkpoint.storage=s3://bucket']
  await expect(askPipeline('create', 'blue', { set })).rejects.toMatchObject(untrusted)
})

test('where nobody listens there is none', async () => {
  const server = createPlain()
  const port = await portOf(server)
  server.close()
  await once(server, 'close')
  expect(await wayTo(`http://127.0.0.1:${port}`, undefined)).toBeUndefined()
  expect(await wayTo(`https://127.0.0.1:${port}`, undefined)).toBeUndefined()
})

test.each(['10.0.0.7:9464', 'localhost:9464', 'ftp://localhost:9464', 'nonsense'])('%s is no address', async (url) => {
  await expect(topVerb({ set: [], url, once: true })).rejects.toMatchObject({
    code: 'CTR_USAGE',
    message: `--url ${url}: it is no address; write http://HOST:PORT, or https:// for a pipeline with http.tls`,
  })
})

test("the environment's token goes before that of the configuration", async () => {
  const seen: (string | undefined)[] = []
  const server = createPlain((request, response) => {
    seen.push(request.headers.authorization)
    response.end(request.method === 'GET' ? '{"name":"ctr"}' : '{"tasks":[0],"cells":1,"bytes":1}')
  })
  const url = `http://127.0.0.1:${await portOf(server)}`
  const { CTR_TOKEN } = process.env
  onTestFinished(() => {
    if (CTR_TOKEN === undefined) delete process.env.CTR_TOKEN
    else process.env.CTR_TOKEN = CTR_TOKEN
  })
  const set = ['checkpoint.storage=s3://bucket', 'http.token=configured']
  delete process.env.CTR_TOKEN
  await askPipeline('create', 'blue', { set, url })
  process.env.CTR_TOKEN = 'of-the-environment'
  await askPipeline('create', 'blue', { set, url })
  expect(seen).toEqual([undefined, 'Bearer configured', undefined, 'Bearer of-the-environment'])
})
