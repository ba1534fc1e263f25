/**
 * After an install: makes node_modules/.bin/node the pinned Node of this kind of machine. npm 10 takes that link away again with the
 * package of another kind, whose program has the same name. Plain JavaScript that any Node from 18 on understands.
 */
import { existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const programs = join(dirname(fileURLToPath(import.meta.url)), '..', 'node_modules', '.bin')
const pinned = join('..', `node-${process.platform}-${process.arch}`, 'bin', 'node')
mkdirSync(programs, { recursive: true })
if (existsSync(join(programs, pinned))) {
  rmSync(join(programs, 'node'), { force: true })
  symlinkSync(pinned, join(programs, 'node'))
}
