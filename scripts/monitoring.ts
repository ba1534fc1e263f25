/** Writes k8s/monitoring anew from the tables of src/monitoring: npm run monitoring. What is there and not in the tables goes. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { MONITORING_FOLDER, monitoringFiles } from '../src/monitoring/files.ts'

const folder = join(import.meta.dirname, '..', MONITORING_FOLDER)
rmSync(folder, { recursive: true, force: true })
for (const [name, text] of monitoringFiles()) {
  const path = join(folder, name)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}
