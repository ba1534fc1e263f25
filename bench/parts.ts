/** What the microbenchmarks consist of. */
import { checksumStages } from './batch/checksum.ts'
import { codecStages } from './batch/codecs.ts'
import { framingStages } from './batch/framing.ts'
import { formatStages } from './format/formats.ts'
import { parseStages } from './format/parse.ts'
import { ingestStages } from './ingest/ingest.ts'
import { dictionaryStages } from './products/dictionary.ts'
import { ringStages } from './ring/ring.ts'
import { rowStages } from './sink/row.ts'
import type { StageMaker } from './stage.ts'
import { emissionStages } from './window/emission.ts'
import { paneStages } from './window/pane.ts'

/** By name, in the data's order. */
export const PARTS: Readonly<Record<string, StageMaker>> = {
  framing: framingStages,
  parse: parseStages,
  formats: formatStages,
  'dictionary-1k': dictionaryStages(1_000),
  'dictionary-100k': dictionaryStages(100_000),
  'dictionary-1m': dictionaryStages(1_000_000),
  'dictionary-10m': dictionaryStages(10_000_000),
  ring: ringStages,
  pane: paneStages,
  emission: emissionStages,
  row: rowStages,
  ingest: ingestStages,
  checksum: checksumStages,
  codecs: codecStages,
}
