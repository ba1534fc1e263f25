/** `ctr ui`: the page of a running pipeline, in a browser. */
import { spawn } from 'node:child_process'
import { loadConfig } from '../config/load.ts'
import { CtrError } from '../errors.ts'
import type { UiOptions } from './options.ts'
import { addressOf, wayTo } from './way-to-pipeline.ts'

const OPENERS: Readonly<Partial<Record<NodeJS.Platform, readonly string[]>>> = {
  darwin: ['open'],
  win32: ['cmd', '/c', 'start', ''],
  linux: ['xdg-open'],
}

/** Runs the verb; returns the exit code. */
export async function uiVerb(options: UiOptions): Promise<number> {
  const { http } = loadConfig({ file: options.config, sets: options.set })
  const url = options.url?.replace(/\/(?:ui\/?)?$/, '') ?? addressOf(http)
  if (url === undefined)
    throw new CtrError('CTR_USAGE', 'http.port is 0, any free port: give --url with the one that the log of the pipeline names')
  if ((await wayTo(url, undefined)) === undefined) {
    throw new CtrError('CTR_USAGE', `no pipeline answers at ${url}; start one, or give its address with --url`)
  }
  process.stdout.write(`${url}/ui\n`)
  if (options.print !== true && process.stdout.isTTY === true) openBrowser(`${url}/ui`)
  return 0
}

/** Where there is none, the address is on the screen already. */
function openBrowser(url: string): void {
  const [program, ...words] = OPENERS[process.platform] ?? []
  if (program === undefined) return
  const child = spawn(program, [...words, url], { stdio: 'ignore', detached: true })
  child.on('error', () => undefined)
  child.unref()
}
