import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** A temporary file with this content, gone when the test is. */
export function temporaryFile(content: string, name = 'ctr.yaml'): string {
  const folder = mkdtempSync(join(tmpdir(), 'ctr-test-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, name)
  writeFileSync(file, content)
  return file
}
