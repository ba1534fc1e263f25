/**
 * Records of an output to a file, one JSON object per line, appended and synced to disk before they count as delivered. A write that fails
 * halfway is undone before it is tried again, so the file never holds a torn line.
 */
import { close, fdatasync, fstatSync, ftruncate, mkdirSync, openSync, write } from 'node:fs'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import type { Logger } from 'pino'
import { CtrError } from '../errors.ts'
import type { Output, OutputLabel } from './output.ts'
import { outputQueue } from './output-queue.ts'

const writeTo = promisify(write)
const sync = promisify(fdatasync)
const truncate = promisify(ftruncate)
const closeFile = promisify(close)

/** An output that appends to `path`; folders on the way are created. Throws CTR_DEAD_LETTER when the file can't be opened. */
export function fileOutput(path: string, label: OutputLabel, logger: Logger): Output {
  const { file, size, regular } = open(path, label)
  let end = size
  let torn = false
  const deliver = async (lines: readonly Buffer[]) => {
    if (torn && regular) await truncate(file, end)
    torn = true
    const bytes = Buffer.concat(lines.flatMap((line) => [line, Buffer.from('\n')]))
    for (let written = 0; written < bytes.length; ) {
      const { bytesWritten } = (await writeTo(file, bytes, written, bytes.length - written, null)) as unknown as { bytesWritten: number }
      written += bytesWritten
    }
    if (regular) await sync(file)
    torn = false
    end += bytes.length
  }
  return outputQueue({ place: `file ${path}`, deliver, close: () => closeFile(file) }, label, logger)
}

function open(path: string, { key }: OutputLabel): { file: number; size: number; regular: boolean } {
  try {
    mkdirSync(dirname(path), { recursive: true })
    const file = openSync(path, 'a')
    const stat = fstatSync(file)
    return { file, size: stat.size, regular: stat.isFile() }
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new CtrError('CTR_DEAD_LETTER', `${key}.file ${path} can't be written: ${reason}; choose another path or grant access`, {
      cause,
    })
  }
}
