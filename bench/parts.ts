/** What the microbenchmarks consist of. */
import { checksumStages } from './decode/checksum.ts'
import { codecStages } from './decode/codecs.ts'
import { dictionaryStages } from './decode/dictionary.ts'
import { framingStages } from './decode/framing.ts'
import { ingestStages } from './decode/ingest.ts'
import { parseStages } from './decode/parse.ts'
import { ringStages } from './ring/ring.ts'
import { rowStages } from './sink/row.ts'
import type { StageMaker } from './stage.ts'
import { paneStages } from './window/pane.ts'

/** By name, in the data's order. */
export const PARTS: Readonly<Record<string, StageMaker>> = {
  framing: framingStages,
  parse: parseStages,
  'dictionary-1k': dictionaryStages(1_000),
  'dictionary-100k': dictionaryStages(100_000),
  'dictionary-1m': dictionaryStages(1_000_000),
  'dictionary-10m': dictionaryStages(10_000_000),
  ring: ringStages,
  pane: paneStages,
  row: rowStages,
  ingest: ingestStages,
  checksum: checksumStages,
  codecs: codecStages,
}
