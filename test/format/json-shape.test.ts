/** Shapes are code made at run time: of what it is made, and what happens where it may not be. */
import { spawnSync } from 'node:child_process'
import { expect, test, vi } from 'vitest'
import { shapeOf } from '../support/shape-of.ts'

const event = (key: string, id = 'u1') =>
  new TextEncoder().encode(
    `{"${key}":{"${key}":[1,2]},"user_id":"${id}","product_id":"${id}","event_type":"click","timestamp":1700000000000}`,
  )

/** The source that is compiled for this event. */
function sourceFor(bytes: Uint8Array): string {
  const sources: string[] = []
  const Plain = Function
  vi.stubGlobal('Function', function Spied(...parts: string[]) {
    sources.push(parts.at(-1) ?? '')
    return Plain(...parts) as unknown
  })
  try {
    expect(shapeOf(bytes)).toBeTypeOf('function')
  } finally {
    vi.unstubAllGlobals()
  }
  expect(sources).toHaveLength(1)
  return sources[0] ?? ''
}

test('the code of a shape has no text of the event in it: other keys of the same length change numbers and nothing else', () => {
  const withoutNumbers = (source: string) => source.replaceAll(/-?\b\d[\d.]*(e[+-]?\d+)?\b/g, '0')
  const harmless = sourceFor(event('aaaaaaaaaaaaaaaaaaaaaaaa'))
  const dollar = '$'
  for (const key of ['`);process.exit(1);//aaaaa', `*/${dollar}{process.exit(1)}/*aaaa`, "'+process.exit(1)+'aaaaaa"].map((text) =>
    text.slice(0, 24),
  )) {
    const source = sourceFor(event(key, 'product.exit(1)'))
    expect(source).not.toContain('exit')
    expect(withoutNumbers(sourceFor(event(key)))).toBe(withoutNumbers(harmless))
  }
})

test('where code may not be made at run time there is no shape, and no error', () => {
  const script = `
    import { shapeOf } from './test/support/shape-of.ts'
    console.log(shapeOf(${JSON.stringify(new TextDecoder().decode(event('key')))}))`
  const learn = (...flags: string[]) =>
    spawnSync(process.execPath, [...flags, '--input-type=module', '-e', script], { encoding: 'utf8', timeout: 20_000 }).stdout
  expect(learn()).toBe('[Function: shape]\n')
  expect(learn('--disallow-code-generation-from-strings')).toBe('undefined\n')
})
