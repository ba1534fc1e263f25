/** What is said on stderr when a verb fails. */
import { CtrError } from '../errors.ts'
import { maskSecrets, visible } from '../text.ts'

/** Code, message and cause; on a terminal also where more can be read, and nothing that a terminal would obey. */
export function failureText(error: unknown, terminal: boolean): string {
  const bug = () => `this is a bug, please report it\n${error instanceof Error ? error.stack : String(error)}`
  const said = error instanceof CtrError ? `${error.code}: ${error.message}${causeOf(error)}` : bug()
  const text = maskSecrets(`ctr: ${said}\n`)
  if (!terminal) return text
  return visible(text) + (error instanceof CtrError ? `  more: ctr explain ${error.code}\n` : '')
}

function causeOf(error: CtrError): string {
  if (!(error.cause instanceof Error) || error.message.includes(error.cause.message)) return ''
  return `\n  caused by: ${error.cause.message}`
}
