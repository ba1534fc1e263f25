import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { MAIN } from '../../workshop/engine-process.ts'

const run = promisify(execFile)
let directory = ''

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ctr-demo-'))
})
afterAll(() => rm(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 }))

async function ended(child: ChildProcess): Promise<{ code: number | null; output: string }> {
  let output = ''
  child.stdout?.on('data', (chunk: Buffer) => {
    output += chunk
  })
  child.stderr?.on('data', (chunk: Buffer) => {
    output += chunk
  })
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return { code, output }
}

describe('ctr demo', () => {
  test('shows the engine at work, sums up, and leaves rows of its own that ctr query --demo finds', async () => {
    // Neither this server nor this tenant is the demo's, nor are these events, also when the file is named.
    await writeFile(
      join(directory, 'ctr.yaml'),
      'clickhouse: { url: "http://127.0.0.1:1" }\ntenant: real\nevents: { type: click, fields: { product: a.b } }\n',
    )
    const child = spawn(
      process.execPath,
      [MAIN, 'demo', '--rate', '20k', '--duration', '14s', '--config', 'ctr.yaml', '--window.size=2s'],
      {
        cwd: directory,
      },
    )
    const { code, output } = await ended(child)
    expect([code, output]).toEqual([0, expect.stringMatching(/running: [\d,]+ events\/s/)])
    expect(output).toMatch(/ledger\s+exact/)
    expect(output).toMatch(/rows written\s+[\d,]*\d{3}/)
    expect(output).toMatch(/late\s+[1-9]/)
    expect(output).toMatch(/invalid\s+[1-9]/)
    expect(output).toContain('Try next:')
    const sql =
      'SELECT product_id, sum(impressions) > sum(clicks) FROM ctr_windows GROUP BY product_id ORDER BY sum(impressions) DESC LIMIT 1'
    const query = await run(process.execPath, [MAIN, 'query', '--demo', '--format', 'CSV', sql], { cwd: directory })
    expect(query.stdout).toBe('"p-0001",1\n')
    const whose = await run(
      process.execPath,
      [MAIN, 'query', '--demo', '--format', 'CSV', 'SELECT DISTINCT tenant, currentDatabase() FROM ctr_windows'],
      {
        cwd: directory,
      },
    )
    expect(whose.stdout).toBe('"demo","ctr_demo"\n')
  })

  test('draws the live view on a terminal, with the top products, and Ctrl-C ends it cleanly', async () => {
    const sets = ['window.size=1s', 'time.outOfOrderness=1s', 'clickhouse.embedded=./view'].map((set) => `--set ${set}`).join(' ')
    const command = `stty cols 100 rows 40; exec '${process.execPath}' '${MAIN}' demo --rate 20k ${sets}`
    // Where tests run by themselves nothing is drawn.
    const env = { ...process.env, CI: '', TERM: 'xterm-256color' }
    const child = spawn('script', ['-qefc', command, '/dev/null'], { cwd: directory, env, stdio: ['pipe', 'pipe', 'pipe'] })
    let seen = ''
    let pressed = false // a second Ctrl-C would force it
    child.stdout.on('data', (chunk: Buffer) => {
      seen += chunk
      if (!pressed && /p-0001\s/.test(seen)) pressed = child.stdin.write('\x03') || true
    })
    const limit = setTimeout(() => child.kill('SIGKILL'), 50_000)
    const { code, output } = await ended(child)
    clearTimeout(limit)
    expect([code, output]).toEqual([0, expect.stringContaining('top products')])
    expect(output).toMatch(/ledger\s+.*exact/)
  })
})
