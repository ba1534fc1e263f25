/** Counting a block of events in a pane. */

import { Popularity } from '../../src/load/popularity.ts'
import { Random } from '../../src/load/random.ts'
import { cellOf } from '../../src/window/cells.ts'
import { type Pane, Panes } from '../../src/window/pane.ts'
import { windowsOf } from '../../src/window/windows.ts'
import type { Stage, StageMaker } from '../stage.ts'

const EVENTS = 65_536
const EVENTS_PER_BLOCK = 1024
const WINDOW_MS = 10_000
const CLICK_SHARE = 0.2

export const paneStages: StageMaker = (quick) =>
  (quick ? [1_000] : [1_000, 100_000, 1_000_000]).map((products) => stageOf(products, quick ? 4_096 : EVENTS))

function stageOf(products: number, events: number): Stage {
  const random = new Random(1)
  const popularity = new Popularity(products, 1)
  const words = new Int32Array(events * 2)
  for (let i = 0; i < events; i++) {
    words[i * 2] = (popularity.draw(random) << 1) | (random.chance(CLICK_SHARE) ? 1 : 0)
    words[i * 2 + 1] = random.below(WINDOW_MS)
  }
  const panes = new Panes(windowsOf({ windowSize: WINDOW_MS, outOfOrderness: 0, allowedLateness: 0 }))
  panes.reserve(products)
  const first = words[0]!
  const run = () => {
    const [before] = panes.open
    const count = before === undefined ? 0 : countOf(before, first)
    const total = before?.total ?? 0
    for (let at = 0; at < events; at += EVENTS_PER_BLOCK) panes.add(words, at * 2, EVENTS_PER_BLOCK, 0)
    const [pane] = panes.open
    return panes.open.length === 1 && pane ? (countOf(pane, first) - count) * events + pane.total - total : Number.NaN
  }
  let expected = events
  for (let i = 0; i < events; i++) if (words[i * 2] === first) expected += events
  return { name: `pane: ${products.toLocaleString('en')} products, Zipf`, unit: 'event', units: events, expected, run }
}

/** Of a code, id << 1 | click. */
function countOf({ directory, counts }: Pane, code: number): number {
  return counts[cellOf(directory, code >> 1) + (code & 1)]!
}
