/** The configurations that ship with the product are sound with the environment that ships beside them. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { loadConfig } from '../../src/config/load.ts'
import { temporaryFile } from '../support/config-file.ts'

const path = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url))

test('the image starts without any variable, and takes them where they are set', () => {
  const file = path('docker/ctr.yaml')
  expect(loadConfig({ file, env: {} })).toMatchObject({
    http: { host: '0.0.0.0' },
    clickhouse: { url: ['http://clickhouse:8123'], password: '' },
  })
  const { services } = parse(readFileSync(path('docker/compose.yaml'), 'utf8')) as {
    services: { ctr: { environment: Record<string, string> } }
  }
  expect(loadConfig({ file, env: services.ctr.environment })).toMatchObject({
    kafka: { brokers: ['kafka:29092'], topics: [{ name: 'impressions' }, { name: 'clicks' }] },
    clickhouse: { username: 'ctr', password: 'ctr' },
  })
})

test('the ConfigMap is sound with the keys of the example Secret, and nothing but them', () => {
  const map = parse(readFileSync(path('k8s/config.yaml'), 'utf8')) as { data: { 'ctr.yaml': string } }
  const secret = parse(readFileSync(path('k8s/secret.example.yaml'), 'utf8')) as { stringData: Record<string, string> }
  const file = temporaryFile(map.data['ctr.yaml'])
  const { kafka } = loadConfig({ file, env: { ...secret.stringData, POD_NAME: 'ctr-1' } })
  expect([kafka.security.sasl?.username, kafka.clientId]).toEqual(['ctr', 'ctr-1'])
  expect(() => loadConfig({ file, env: {} })).toThrow('configuration')
})

test('a container is given longer to stop than the engine takes', () => {
  const file = temporaryFile('')
  const shutdownSeconds = loadConfig({ file, env: {} }).shutdown.timeout / 1000
  const pods = readFileSync(path('k8s/statefulset.yaml'), 'utf8')
  expect(Number(/terminationGracePeriodSeconds: (\d+)/.exec(pods)?.[1])).toBeGreaterThan(shutdownSeconds)
  expect(Number(/stop_grace_period: (\d+)s/.exec(readFileSync(path('docker/compose.yaml'), 'utf8'))?.[1])).toBeGreaterThan(shutdownSeconds)
})
