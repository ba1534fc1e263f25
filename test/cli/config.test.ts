import { expect, test } from 'vitest'
import { configVerb } from '../../src/cli/config.ts'
import { temporaryFile } from '../support/config-file.ts'

function run(action: 'check' | 'print' | 'schema', config?: string, set: string[] = []) {
  let out = ''
  const code = configVerb(action, { set, ...(config === undefined ? {} : { config }) }, (text) => {
    out += text
  })
  return { code, out }
}

test('check says in short what a sound configuration does', () => {
  const { code, out } = run('check')
  expect(code).toBe(0)
  const what = 'impressions and clicks from localhost:9092, windows of 10s, to embedded ClickHouse in ./.ctr/clickhouse'
  expect(out).toBe(`the default configuration is sound: ${what}\n`)
  const file = temporaryFile('clickhouse: { url: "http://ch:8123" }')
  expect(run('check', file, ['window.size=1m']).out).toBe(
    `${file} is sound: impressions and clicks from localhost:9092, windows of 1m, to http://ch:8123\n`,
  )
})

test('check and print throw what is wrong', () => {
  expect(() => run('check', undefined, ['window.size=x'])).toThrow('window.size is not a duration')
  expect(() => run('print', undefined, ['window.size=x'])).toThrow('window.size is not a duration')
})

test('print and schema write YAML and JSON', () => {
  expect(run('print').out).toMatch(/^tenant: default\nkafka:\n {2}brokers:/)
  expect(JSON.parse(run('schema').out)).toHaveProperty('properties.kafka.properties.groupId')
})
