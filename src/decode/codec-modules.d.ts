declare module 'snappyjs' {
  const snappy: { compress(bytes: Uint8Array): Uint8Array }
  export default snappy
}

declare module 'lz4js' {
  const lz4: {
    /** Compresses source[start, start + length) into target; the size taken, or 0 when nothing was gained. */
    compressBlock(source: Uint8Array, target: Uint8Array, start: number, length: number, hashTable: Uint32Array): number
    compressBound(length: number): number
  }
  export default lz4
}
