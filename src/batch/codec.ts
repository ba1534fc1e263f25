/**
 * The compression codecs of Kafka's record batches: their numbers, and the framings that both directions share.
 *
 *   snappy   raw, or in the framing of snappy-java: | magic 8 | version 4 | compatible 4 | and blocks: | length 4 | raw snappy |
 *   lz4      frame format: | magic 4 | flags 1 | block size 1 | ... | and blocks: | length 4, top bit: stored | block |, then a length of 0
 *
 * Lengths of snappy-java are big-endian, those of lz4 little-endian. gzip and zstd bring their own framing.
 */

/** Codec numbers as in the attributes of a record batch. */
export const CODEC = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 } as const

/** A codec as the command line names it. */
export type CodecName = keyof typeof CODEC

/** In the order of their numbers. */
export const CODEC_NAMES = Object.keys(CODEC) as readonly CodecName[]

/** The first bytes of snappy-java's framing. */
export const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00])
export const XERIAL_HEADER_BYTES = 16
/** In a block's length: the block is not compressed. */
export const LZ4_STORED = 0x80000000
