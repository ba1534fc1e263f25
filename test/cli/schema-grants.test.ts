import { expect, test } from 'vitest'
import { schemaVerb } from '../../src/cli/schema.ts'

async function grants(options: Parameters<typeof schemaVerb>[1]): Promise<string> {
  const texts: string[] = []
  expect(await schemaVerb('grants', options, (text) => void texts.push(text))).toBe(0)
  return texts.join('')
}

const set = ['clickhouse.url=http://nowhere:1', 'clickhouse.database=shop', 'clickhouse.username=ctr-engine']

test('rights are printed without a server, for the configured user and of every role', async () => {
  const text = await grants({ set })
  expect(text.match(/^-- \w+/gm)).toEqual(['-- writer', '-- reader', '-- owner'])
  expect(text).toContain('GRANT INSERT, SELECT ON `shop`.ctr_results TO `ctr-engine`;\n')
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('--'))
  for (const line of lines) expect(line).toMatch(/^GRANT [A-Z, ]+ ON \S+ TO `ctr-engine`;$/)
})

test('of one role, and for another user, whose name is quoted', async () => {
  const text = await grants({ set, for: 'reader', user: 'o`brien' })
  expect(text).toContain('GRANT SELECT ON `shop`.ctr_windows TO `o\\`brien`;\n')
  expect(text).not.toContain('INSERT')
})
