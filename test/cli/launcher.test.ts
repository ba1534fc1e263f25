/** bin/ctr.js as a user starts it: with this Node, and with an older one that hands over to the pinned Node. */
import { spawn, spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { temporaryFile } from '../support/config-file.ts'

const bin = fileURLToPath(new URL('../../bin/ctr.js', import.meta.url))

/** The launcher with another entry behind it, told that this Node is too old, so that every machine takes the hand-over. */
function oldNodeLauncher(entry: string): string {
  const text = readFileSync(bin, 'utf8').replace('NODE_MAJOR_MIN = 24', 'NODE_MAJOR_MIN = 9999')
  const file = temporaryFile('{"type":"module"}', 'package.json')
  const root = dirname(file)
  for (const folder of ['bin', 'src']) mkdirSync(join(root, folder))
  symlinkSync(fileURLToPath(new URL('../../node_modules', import.meta.url)), join(root, 'node_modules'))
  writeFileSync(join(root, 'src', 'main.ts'), entry)
  writeFileSync(join(root, 'bin', 'ctr.js'), text)
  copyFileSync(join(dirname(bin), 'own-folder.js'), join(root, 'bin', 'own-folder.js'))
  return join(root, 'bin', 'ctr.js')
}

test('runs in this Node', () => {
  const { status, stdout } = spawnSync(process.execPath, [bin, 'config', 'check'], { encoding: 'utf8' })
  expect([status, stdout]).toEqual([0, expect.stringContaining('is sound')])
})

test('exit codes come through', () => {
  expect(spawnSync(process.execPath, [bin, 'config', 'check', '--set', 'x=1']).status).toBe(2)
})

test('an output that nobody reads any more is no failure', () => {
  const command = `"${process.execPath}" "${bin}" config schema | head -n 1; echo "\${PIPESTATUS[0]}"`
  const { stdout } = spawnSync('bash', ['-c', command], { encoding: 'utf8' })
  expect(stdout).toBe('{\n0\n')
})

test('an older Node hands over to the pinned one, with arguments and exit code', () => {
  const launcher = oldNodeLauncher('console.log(process.version, process.argv.slice(2).join()); process.exitCode = 7')
  const { status, stdout } = spawnSync(process.execPath, [launcher, 'run', '--x=a b'], { encoding: 'utf8' })
  expect([status, stdout]).toEqual([7, expect.stringMatching(/^v24\.\d+\.\d+ run,--x=a b\n$/)])
})

test('an older Node passes signals on and lets the engine end by itself', async () => {
  const launcher = oldNodeLauncher(
    "process.once('SIGTERM', () => { console.log('bye'); process.exit(3) }); console.log('up'); setInterval(() => {}, 1000)",
  )
  const child = spawn(process.execPath, [launcher], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  let out = ''
  child.stdout.on('data', (chunk) => {
    if (out === '') child.kill('SIGTERM')
    out += String(chunk)
  })
  expect(await new Promise((resolve) => child.on('close', resolve))).toBe(3)
  expect(out).toBe('up\nbye\n')
})

test('an older Node dies of the signal that the engine died of', async () => {
  const launcher = oldNodeLauncher("process.kill(process.pid, 'SIGKILL'); setInterval(() => {}, 1000)")
  const { status, signal } = spawnSync(process.execPath, [launcher])
  expect([status, signal]).toEqual([null, 'SIGKILL'])
})
