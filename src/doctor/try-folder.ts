/** Whether a folder can be made and written to: by doing it, and undoing it. */
import { randomBytes } from 'node:crypto'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CtrError } from '../errors.ts'
import { withoutTrace } from '../probed-folder.ts'

/** Rejects with CTR_CONFIG, which names the key. */
export async function tryFolder(folder: string, key: string): Promise<void> {
  const probe = join(folder, `.probe-${randomBytes(4).toString('hex')}`)
  try {
    await withoutTrace(folder, async () => {
      await mkdir(folder, { recursive: true })
      await writeFile(probe, '').finally(() => rm(probe, { force: true }))
    })
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new CtrError('CTR_CONFIG', `${key} ${folder} can't be written: ${reason}; choose another path or grant access`, { cause })
  }
}
