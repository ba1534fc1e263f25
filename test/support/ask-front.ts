/** One statement to the front of an embedded ClickHouse, over its socket. */
import { existsSync, readFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import type { FrontAddress } from '../../src/clickhouse/front-address.ts'

/** The answer's text, whatever its status. */
export function askFront({ socketPath, username, password }: FrontAddress, sql: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path: '/', method: 'POST', auth: `${username}:${password}`, agent: false }, (response) => {
      let text = ''
      response.on('data', (chunk: Buffer) => {
        text += chunk.toString()
      })
      response.once('end', () => resolve(text)).once('error', reject)
    })
    asked.once('error', reject)
    asked.end(sql)
  })
}

/** What the directory's front.json says, as it stands there; undefined without one. */
export function frontFile(directory: string): FrontAddress | undefined {
  const path = join(directory, 'front.json')
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as FrontAddress) : undefined
}
