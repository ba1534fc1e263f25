/** Records of an output to a file, one JSON object per line, appended and synced to disk before they count as delivered. */
import { randomBytes } from 'node:crypto'
import { existsSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Logger } from 'pino'
import { CtrError } from '../errors.ts'
import { withoutTrace } from '../probed-folder.ts'
import { AppendedFile } from './appended-file.ts'
import type { Lines } from './lines.ts'
import type { Output, OutputLabel } from './output.ts'
import { outputQueue } from './output-queue.ts'

/** An output that appends to `path`; folders on the way are created. Throws CTR_DEAD_LETTER when the file can't be opened. */
export function fileOutput(path: string, label: OutputLabel, logger: Logger): Output {
  const file = open(path, label)
  const deliver = ({ bytes }: Lines) => file.append(bytes)
  return outputQueue({ place: `file ${path}`, parallel: 1, deliver, close: () => file.close() }, label, logger)
}

/**
 * Whether lines could be appended to `path`; throws as fileOutput does. One that is there is opened and left as it is; for one that is not,
 * another one is made beside it and taken away again.
 */
export async function tryFile(path: string, label: OutputLabel): Promise<void> {
  if (existsSync(path)) return await open(path, label).close()
  const beside = `${path}.${randomBytes(4).toString('hex')}.probe`
  await withoutTrace(dirname(path), async () => {
    await open(path, label, beside).close()
    rmSync(beside, { force: true })
  })
}

/** `opened` is what is opened when it is not the path itself. */
function open(path: string, { key }: OutputLabel, opened = path): AppendedFile {
  try {
    return new AppendedFile(opened)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    const message = `${key}.file ${path} can't be written: ${reason}; choose another path or grant access`
    throw new CtrError('CTR_DEAD_LETTER', message, { cause })
  }
}
