/** Options of the scripts: whole numbers and shares, checked, with one line of usage when they are wrong. */
import { parseArgs } from 'node:util'

/** Name to default; a number, a flag (false) or a text ('' for none). */
type Defaults = Record<string, number | boolean | string>

type Values<D extends Defaults> = {
  -readonly [name in keyof D]: D[name] extends number ? number : D[name] extends boolean ? boolean : string
}

/** Reads process.argv; ends the process with code 2 and the usage when something is wrong. 10_000_000 and 1e7 are numbers too. */
export function scriptOptions<const D extends Defaults>(
  script: string,
  defaults: D,
  args: readonly string[] = process.argv.slice(2),
): Values<D> {
  const options = Object.fromEntries(
    Object.entries(defaults).map(([name, value]) => [
      name,
      { type: typeof value === 'boolean' ? ('boolean' as const) : ('string' as const) },
    ]),
  )
  try {
    const { values } = parseArgs({ args: [...args], options, allowPositionals: false })
    const read = Object.entries(defaults).map(([name, value]) => [name, readValue(name, value, values[name])])
    return Object.fromEntries(read) as Values<D>
  } catch (error) {
    const usage = Object.entries(defaults).map(([name, value]) =>
      value === false ? `[--${name}]` : `[--${name} ${value === '' ? '…' : value}]`,
    )
    console.error(`${error instanceof Error ? error.message : error}\nusage: node ${script} ${usage.join(' ')}`)
    process.exit(2)
  }
}

function readValue(name: string, byDefault: number | boolean | string, given: string | boolean | undefined): number | boolean | string {
  if (given === undefined) return byDefault
  if (typeof byDefault !== 'number') return given
  const value = Number(String(given).replaceAll('_', ''))
  if (!Number.isFinite(value) || value < 0) throw new Error(`--${name} ${given}: not a number of 0 or more`)
  return value
}
