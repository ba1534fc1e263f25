/** `ctr token`: a new token for the HTTP API, and what the configuration is to say of it. The token is shown once and kept nowhere. */
import { randomBytes } from 'node:crypto'
import { type AccessRole, tokenHash } from '../server/access.ts'

const TOKEN_BYTES = 32

/** Prints both; returns the exit code. */
export function tokenVerb(name: string, role: AccessRole, random: (bytes: number) => Buffer = randomBytes): number {
  const token = random(TOKEN_BYTES).toString('base64url')
  const hash = tokenHash(token)
  const lines = [
    `token: ${token}`,
    '  goes to whoever asks, who sends it as `Authorization: Bearer`; it is shown this once',
    '',
    'for the configuration:',
    'http:',
    '  tokens:',
    `    - {name: ${JSON.stringify(name)}, role: ${role}, hash: "${hash}"}`,
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
  return 0
}
