import { expect, test } from 'vitest'
import { EventBlocks } from '../../src/ingest/event-blocks.ts'
import { createRing } from '../../src/ring/layout.ts'
import { RingReader } from '../../src/ring/ring-reader.ts'
import { RingWriter } from '../../src/ring/ring-writer.ts'

const WEEKS_MS = 60 * 86_400_000
const EVENTS = 40

test.each([
  ['events whose times lie weeks apart find', WEEKS_MS, 0],
  ['corrections and the events behind them find', 10, 30],
])('%s the room that was promised, however full the ring is beside an open block', (_, span, corrections) => {
  let promised = 0
  // Between no room and plenty of it, with the end of the ring's memory in between.
  for (let level = 4_000; level < 6_000; level += 1) {
    const ring = createRing(64 * 1024)
    const blocks = new EventBlocks([new RingWriter(ring)])
    const fill = (count: number) => {
      for (let i = 0; i < count; i++) if (!blocks.append(0, 0, 0)) return
    }
    blocks.begin(0)
    fill(1_000)
    blocks.close(0)
    const reader = new RingReader(ring)
    while (reader.next());
    reader.release()
    fill(level)
    blocks.close(0)
    fill(1_024)
    if (!blocks.reserve(0, EVENTS, 0, span, corrections)) continue
    promised++
    for (let i = 0; i < corrections; i++) expect(blocks.correct(0, 0, 0, 1), `level ${level}, correction ${i}`).toBe(true)
    for (let i = 0; i < EVENTS; i++) expect(blocks.append(0, 0, (i % 2) * span), `level ${level}, event ${i}`).toBe(true)
  }
  expect(promised).toBeGreaterThan(50)
})
