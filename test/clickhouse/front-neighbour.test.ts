import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { explain, openEmbedded } from '../../src/clickhouse/embedded-front.ts'
import { readFrontAddress } from '../../src/clickhouse/front-address.ts'
import { type EmbeddedTestClickHouse, silent, startEmbedded } from '../../workshop/clickhouse.ts'
import { askFront, frontFile } from '../support/ask-front.ts'
import { asNobody } from '../support/other-user.ts'

let clickhouse: EmbeddedTestClickHouse
let root: string
beforeAll(async () => {
  clickhouse = await startEmbedded()
  root = mkdtempSync(join(tmpdir(), 'ctr-neighbour-'))
  chmodSync(root, 0o755)
})
afterAll(async () => {
  await clickhouse.stop()
  rmSync(root, { recursive: true, force: true })
})

test('another user of the machine can’t reach the socket, nor read where it is', async () => {
  const { socketPath } = readFrontAddress(clickhouse.directory)!
  const { printed } = await asNobody(`
    const socket = require('node:net').connect(${JSON.stringify(socketPath)})
    socket.once('error', (e) => console.log('connect', e.code)).once('connect', () => console.log('in'))
    require('node:fs').readFile(${JSON.stringify(join(clickhouse.directory, 'front.json'))}, (e) => console.log('read', e?.code))`)
  expect(printed().trim().split('\n').toSorted()).toEqual(['connect EACCES', 'read EACCES'])
})

test('a socket that another user listens on, where a front that died has been, never hears a password', async () => {
  // As a common temporary folder is.
  const common = mkdtempSync(join(tmpdir(), 'ctr-common-'))
  chmodSync(common, 0o1777)
  const folder = join(common, 'front')
  const listener = await asNobody(
    `const { chmodSync, mkdirSync } = require('node:fs')
     const path = ${JSON.stringify(join(folder, 's'))}
     mkdirSync(${JSON.stringify(folder)}, { mode: 0o777 })
     const server = require('node:net').createServer((s) => s.on('data', (d) => console.log('heard', String(d))))
     server.listen(path, () => { chmodSync(path, 0o777); console.log('listening') })`,
    'listening',
  )
  const directory = join(root, 'left-by-a-dead-front')
  mkdirSync(directory, { mode: 0o700 })
  const left = { socketPath: join(folder, 's'), username: 'default', password: 'of-the-dead-front', pid: 1 }
  writeFileSync(join(directory, 'front.json'), JSON.stringify(left), { mode: 0o600 })
  const front = await openEmbedded(directory, silent, { lingerMs: 0 })
  expect(front.password).not.toBe(left.password)
  expect(await askFront(front, 'SELECT 1')).toBe('1\n')
  front.close()
  expect(listener.printed()).toBe('listening\n')
  listener.end()
  rmSync(common, { recursive: true, force: true })
})

test('a directory of another user is refused, and a file of another user not believed', async () => {
  const directory = join(root, 'of-another')
  mkdirSync(directory, { mode: 0o777 })
  chmodSync(directory, 0o777)
  await asNobody(`require('node:fs').writeFileSync(${JSON.stringify(join(directory, 'front.json'))}, '{"socketPath":"x"}')`)
  expect(frontFile(directory)).toEqual({ socketPath: 'x' })
  expect(readFrontAddress(directory)).toBeUndefined()
  const error = explain(directory, { kind: 'failed', reason: 'owner', message: '' })
  expect(error.message).toBe(
    `clickhouse.embedded: ${directory} belongs to another user, who could change what is in it; run as that user, or choose another ` +
      'directory with clickhouse.embedded, or give the address of a server with clickhouse.url',
  )
  if (process.getuid?.() !== 0) return
  chownSync(directory, 65_534, 65_534)
  await expect(openEmbedded(directory, silent)).rejects.toThrow(error.message)
})

test.each([
  ["SELECT * FROM file('/etc/passwd', LineAsString)", /file\(: Not enough/],
  ["SELECT file('/etc/passwd')", /file\(: Not enough/],
  ["SELECT `file`/* x */('/etc/passwd')", /file \(: Not enough/],
  ["SELECT * FROM url('http://127.0.0.1:1/', LineAsString)", /READ ON URL/],
  ["SELECT * FROM remote('127.0.0.1:1', system.one)", /READ ON REMOTE/],
  ["INSERT INTO FUNCTION file('/OUT', TSV, 'a String') SELECT 'x'", /file\(: Not enough|WRITE ON FILE/],
  ["SELECT 1 INTO OUTFILE '/OUT'", /INTO OUTFILE: Not enough/],
  ["INSERT INTO kept FROM INFILE '/etc/passwd' FORMAT LineAsString", /FROM INFILE: Not enough/],
  ["CREATE TABLE f (a String) ENGINE = File(TSV, '/etc/passwd')", /TABLE ENGINE ON File/],
  ["CREATE TABLE f (a String) ENGINE = URL('http://127.0.0.1:1/', TSV)", /TABLE ENGINE ON URL/],
  ["SELECT * FROM '/etc/passwd'", /READ ON FILE/],
  [
    "CREATE DICTIONARY e (a UInt64, b String) PRIMARY KEY a SOURCE(EXECUTABLE(command 'id' format 'TSV')) LAYOUT(FLAT()) LIFETIME(1)",
    /CREATE DICTIONARY/,
  ],
  ["BACKUP DATABASE default TO File('/OUT')", /BACKUP/],
  ['CREATE USER other', /CREATE USER/],
  ['GRANT FILE ON *.* TO default', /WITH GRANT OPTION/],
  ['SYSTEM SHUTDOWN', /SYSTEM SHUTDOWN/],
])('the database’s user may not: %s', async (sql, reason) => {
  const out = join(root, 'out')
  const answer = await askFront(readFrontAddress(clickhouse.directory)!, sql.replace('/OUT', out))
  expect(answer).toMatch(/^Code: 497\. .*\(ACCESS_DENIED\)/s)
  expect(answer).toMatch(reason)
  expect(existsSync(out)).toBe(false)
})

test('no program runs', async () => {
  const front = readFrontAddress(clickhouse.directory)!
  expect(await askFront(front, "SELECT * FROM executable('id', TSV, 'a String')")).toMatch(/Executable file id does not exist/)
  expect(await askFront(front, "CREATE TABLE IF NOT EXISTS x (a String) ENGINE = Executable('id', TSV)")).toBe('')
  expect(await askFront(front, 'SELECT * FROM x')).toMatch(/Executable file id does not exist/)
})

test('the word file in a string, a comment or a column is no access to files', async () => {
  const sql = "SELECT 'file(1)', a.file, 'INTO OUTFILE' -- file(\nFROM (SELECT 7 AS file) AS a /* FROM INFILE */"
  expect(await askFront(readFrontAddress(clickhouse.directory)!, sql)).toBe('file(1)\t7\tINTO OUTFILE\n')
})
