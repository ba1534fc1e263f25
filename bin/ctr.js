#!/usr/bin/env node
/**
 * Starts ctr. The engine needs Node 24; with an older one it is handed to the Node that is installed with it (npm packages
 * `node-linux-…`), with the same arguments, terminal, signals and exit code. Runs the sources in a checkout, the compiled files (dist/)
 * elsewhere.
 * Plain JavaScript that any Node from 18 on understands.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import module, { createRequire } from 'node:module'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { ownCacheFolder } from './own-folder.js'

const NODE_MAJOR_MIN = 24

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const source = join(root, 'src', 'main.ts')
// Node refuses to run TypeScript below node_modules.
const entry = existsSync(source) && !/[\\/]node_modules[\\/]/.test(source) ? source : join(root, 'dist', 'main.js')

// Compiled code, and TypeScript with its types taken off, is kept in a folder that is this user's alone, for what is found there is run: a
// start takes half the CPU from the second time on. The pinned Node, threads and child processes learn of it by the environment. Where
// there can't be such a folder, that is all that is lost.
process.env.NODE_COMPILE_CACHE ||= ownCacheFolder('compiled') ?? ''

if (Number(process.versions.node.split('.')[0]) >= NODE_MAJOR_MIN) {
  if (process.env.NODE_COMPILE_CACHE !== '') module.enableCompileCache(process.env.NODE_COMPILE_CACHE)
  await import(pathToFileURL(entry).href)
} else handOver(pinnedNode())

/** Path of the Node that comes with the package. */
function pinnedNode() {
  try {
    const platform = `node-${process.platform}-${process.arch}`
    const path = join(dirname(createRequire(import.meta.url).resolve(`${platform}/package.json`)), 'bin', 'node')
    if (existsSync(path)) return path
  } catch {
    // Told below, with the remedy.
  }
  const remedy =
    entry === source
      ? 'Run npm ci, which installs it on Linux, or update Node.'
      : `Update Node, or let npx bring one: npx -p node@${NODE_MAJOR_MIN} -p ctr-engine ctr …`
  process.stderr.write(`ctr: needs Node ${NODE_MAJOR_MIN} or newer; this is ${process.version}. ${remedy}\n`)
  process.exit(1)
}

/** Runs the engine in the other Node and ends as it ends. @param {string} node */
function handOver(node) {
  const child = spawn(node, [entry, ...process.argv.slice(2)], { stdio: 'inherit' })
  /** @type {NodeJS.Signals[]} */
  const signals = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR2']
  for (const signal of signals) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => {
    process.stderr.write(`ctr: can't start ${node}: ${error.message}\n`)
    process.exit(1)
  })
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1)
    // Die of the same signal, so that a shell or supervisor sees what happened; SIGQUIT and the like may be ignored here.
    for (const name of signals) process.removeAllListeners(name)
    process.kill(process.pid, signal)
    setTimeout(() => process.exit(128 + constants.signals[signal]), 1000)
  })
}
