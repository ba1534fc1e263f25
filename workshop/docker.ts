/** Docker, where there is one: broker and ClickHouse of tests come from it before anything else that starts them here. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

/** Whether a Docker daemon answers. */
export async function dockerAnswers(): Promise<boolean> {
  return promisify(execFile)('docker', ['version', '--format', '{{.Server.Version}}'], { timeout: 5_000 }).then(
    () => true,
    () => false,
  )
}
