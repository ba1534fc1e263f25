/** Deliveries as Kafka's source makes them: of memory that is its own again, and used for other records, as soon as they are done with. */

/** Of no frame, length or text. */
const OTHER = 0xa5

/** Calls `batch` with bytes that are spoilt as soon as it is done with them. They are a Buffer, as those of a socket are. */
export function takenBack(bytes: Buffer, batch: (bytes: Buffer) => Promise<void> | undefined): Promise<void> | undefined {
  const delivered = batch(bytes)
  if (delivered === undefined) {
    bytes.fill(OTHER)
    return undefined
  }
  return delivered.finally(() => bytes.fill(OTHER))
}
