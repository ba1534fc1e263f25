/** Writing the rows of a window that has ended: a second of events is counted in between, unmeasured work of the same kind for all. */
import { createRing } from '../../src/ring/layout.ts'
import { RingReader } from '../../src/ring/ring-reader.ts'
import { RingWriter } from '../../src/ring/ring-writer.ts'
import { readRows } from '../../src/ring/row-blocks.ts'
import { windowsOf } from '../../src/window/windows.ts'
import { Emission } from '../../src/worker/emission.ts'
import { OverlappingState } from '../../src/worker/overlapping-state.ts'
import { TaskState } from '../../src/worker/task-state.ts'
import { createWorkerStats } from '../../src/worker/worker-stats.ts'
import type { Stage, StageMaker } from '../stage.ts'

const PRODUCTS = 1_000
const EVENTS_PER_BLOCK = 1_024
const SECOND = 1_000
const START = 1_700_000_000_000
const RING_BYTES = 4 * 1024 * 1024
const SIZES = [
  { name: 'tumbling 1 s', windowSize: SECOND },
  { name: 'sliding 60 s, slide 1 s', windowSize: 60 * SECOND, windowSlide: SECOND },
]

export const emissionStages: StageMaker = () => SIZES.map(stageOf)

/** Every product has events in every second, so each run writes a window of all of them. */
function stageOf({ name, ...sizes }: (typeof SIZES)[number]): Stage {
  const windows = windowsOf({ ...sizes, outOfOrderness: 0, allowedLateness: 5 * SECOND })
  const ring = createRing(RING_BYTES)
  const reader = new RingReader(ring)
  const emission = new Emission(new RingWriter(ring), 'default', { revision: 0 }, new Float64Array(createWorkerStats()), windows.name)
  const state = windows.overlap
    ? new OverlappingState(0, windows, {
        begin: (task, start, end, first) => emission.beginWindow(task, start, end, first, START),
        row: (id, impressions, clicks) => emission.row(id, impressions, clicks),
        end: () => emission.endWindow(),
      })
    : new TaskState(0, windows)
  for (let id = 0; id < PRODUCTS; id++) {
    const product = Buffer.from(`product-${id}`)
    state.addProduct(id, product, 0, product.length)
  }
  const words = new Int32Array(EVENTS_PER_BLOCK * 2)
  for (let i = 0; i < EVENTS_PER_BLOCK; i++) words[i * 2] = ((i % PRODUCTS) << 1) | (i % 5 === 0 ? 1 : 0)
  let second = 0
  const run = () => {
    state.panes.add(words, 0, EVENTS_PER_BLOCK, START + second * SECOND)
    second++
    state.onWatermark(START + second * SECOND, (task, pane) => emission.emit(task, pane, START))
    let rows = 0
    while (reader.next()) rows += readRows(reader).count
    reader.release()
    return rows
  }
  return { name: `emission: ${name}, ${PRODUCTS.toLocaleString('en')} products`, unit: 'row', units: PRODUCTS, expected: PRODUCTS, run }
}
