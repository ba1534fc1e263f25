import { expect, test } from 'vitest'
import { type ConfigAction, configVerb } from '../../src/cli/config.ts'
import { temporaryFile } from '../support/config-file.ts'

function run(action: ConfigAction, config?: string, set: string[] = [], files: string[] = []) {
  let out = ''
  const code = configVerb(action, files, { set, ...(config === undefined ? {} : { config }) }, (text) => {
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
  expect(run('print').out).toMatch(/^tenant: default {2}# default\nkafka:\n {2}brokers:/)
  expect(JSON.parse(run('schema').out)).toHaveProperty('properties.kafka.properties.groupId')
})

test('a file may be named without --config', () => {
  const file = temporaryFile('tenant: a')
  expect(run('print', undefined, [], [file]).out).toContain(`tenant: a  # ${file}:1\n`)
  expect(run('check', file, [], [file]).out).toContain(`${file} is sound`)
  expect(() => run('check', 'b.yaml', [], [file])).toThrow('--config b.yaml: a configuration is one file; leave one of them out')
  expect(() => run('check', undefined, [], ['a', 'b'])).toThrow('ctr config check a b: at most 1 files')
})

test('diff exits 1 with what differs, 0 when nothing does, and 2 without two files', () => {
  const [a, b] = [temporaryFile('tenant: a'), temporaryFile('tenant: b')]
  expect(run('diff', undefined, [], [a, b])).toEqual({ code: 1, out: `tenant: a (${a}:1) → b (${b}:1)\n` })
  expect(run('diff', undefined, ['--tenant=c'], [a, b])).toEqual({ code: 0, out: `${a} and ${b} come to the same\n` })
  expect(() => run('diff', undefined, [], [a])).toThrow('needs two files')
  expect(() => run('diff', a, [], [b])).toThrow('name both files without --config')
})
