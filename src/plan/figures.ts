/** What was measured, of which a plan is made. Each figure stands in a document beside its command; a test holds them to it. */
import type { CodecName } from '../batch/codec.ts'

/** docs/figures.md, `npm run perf -- million`: cores busy at so many events a second, live, with so many products. */
export const LIVE = { eventsPerSecond: 1_000_000, cores: 0.3, products: 100_000, eventBytes: 154 } as const

/** ARCHITECTURE.md, how far one process goes: µs of CPU per event of a backlog, with few products and a million of them, all alike. */
export const CPU_MICROSECONDS = { mainFew: 0.125, mainMany: 0.29, allFew: 0.151, allMany: 0.414, few: 1_000, many: 1_000_000 } as const

/** docs/figures.md, `npm run bench:growth … --axis size`: MB/s of events of so many bytes. */
export const SIZES: readonly (readonly [bytes: number, megabytesPerSecond: number])[] = [
  [154, 602],
  [300, 1_016],
  [1_000, 1_235],
]

/** docs/figures.md, `npm run bench:growth … --axis codec`: the rate beside that of topics that are not compressed. */
export const CODEC_RATES: { readonly [codec in CodecName]: number } = { none: 1, zstd: 0.9, gzip: 0.76, lz4: 0.69, snappy: 0.52 }

/** docs/results.md, `npm run bench:kept`: bytes a row on disk, merged. */
export const ROW_BYTES_ON_DISK = { results: 5.5, minutes: 2, hours: 8.4 } as const

/** ARCHITECTURE.md: USD a month. */
export const PRICES = { core: 30, gib: 4 } as const
