import { expect, test } from 'vitest'
import { sameConfig } from '../../src/cli/verb.ts'

test('a command that is proposed goes to the same configuration, and a shell reads it as it was meant', () => {
  expect(sameConfig({ set: [] })).toBe('')
  expect(sameConfig({ config: './a.yaml', set: ['tenant=x'] })).toBe(' --config ./a.yaml --set tenant=x')
  expect(sameConfig({ set: ['--tenant=x', '--late.file=a b'] })).toBe(" --tenant=x '--late.file=a b'")
  expect(sameConfig({ config: "my 'own'.yaml", set: ['tenant=$x'] })).toBe(" --config 'my '\\''own'\\''.yaml' --set 'tenant=$x'")
})
