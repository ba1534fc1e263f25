/**
 * Entry of a process that holds an embedded engine whose one user has other rights, and other settings, than ours: what a server's
 * administrator may have given. It serves HTTP on a port of the loopback as the front does (front-child.ts).
 *
 * Life: the parent sends LimitedStart, gets the port or what went wrong, and ends it by closing the channel.
 */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { Session } from 'chdb'
import { FrontConnections } from '../src/clickhouse/front-connections.ts'
import { frontHandler } from '../src/clickhouse/front-server.ts'

/** What the parent asks for: `users` is the engine's users.xml, `first` a statement at the beginning of each request's connection. */
export interface LimitedStart {
  readonly directory: string
  readonly users: string
  readonly first?: string | undefined
}

/** The answer. */
export type LimitedReport = { readonly port: number } | { readonly failure: string }

const USER = 'default'
const PASSWORD = 'limited'

process.once('message', (start: LimitedStart) => {
  try {
    begin(start)
  } catch (error) {
    process.send?.({ failure: String(error) } satisfies LimitedReport)
  }
})

function begin({ directory, users, first }: LimitedStart): void {
  const folder = mkdtempSync(join(directory, 'limited-'))
  const [usersPath, configPath, data] = [join(folder, 'users.xml'), join(folder, 'engine.xml'), join(directory, 'data')]
  writeFileSync(usersPath, users)
  const names = ['table_engines_require_grant', 'select_from_system_db_requires_grant', 'select_from_information_schema_requires_grant']
  const strict = names.map((name) => `<${name}>true</${name}>`).join('')
  const access = `<access_control_improvements>${strict}</access_control_improvements>`
  writeFileSync(configPath, `<clickhouse><users_config>${usersPath}</users_config>${access}</clickhouse>`)
  const keeper = new Session(data, { connectionArgs: [`--config-file=${configPath}`] })
  const nothing = () => undefined
  const handler = frontHandler({
    connections: new FrontConnections(() => {
      const session = new Session(data)
      if (first !== undefined) session.query(first)
      return session
    }),
    version: 'limited',
    username: USER,
    password: PASSWORD,
    spool: () => folder,
    look: nothing,
    leases: nothing,
    requests: nothing,
  })
  const server = createServer(handler)
  process.once('disconnect', () => {
    server.close()
    server.closeAllConnections()
    keeper.close()
    process.exit(0)
  })
  server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port } satisfies LimitedReport))
}
