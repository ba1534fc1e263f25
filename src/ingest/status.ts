/** Why reading and counting stop. */

/** All is read. */
export const DONE = 0
/** The ring `fullRing` is full. */
export const RING_FULL = 1
/** So many new windows were entered that the watermark should be published before more are. */
export const MANY_WINDOWS = 2
/** The event is to be rejected for `reason`. */
export const REFUSED = 3
/** The dead letters, or the late events' output, are full. */
export const LETTERS_FULL = 4
/** `run` stopped at a record whose schema, `awaitedSchema`, is not here yet. */
export const SCHEMA_WAITS = 7
/** The event is of a new product, and there is no room for one. */
export const STATE_FULL = 5
/** The event is late, and is to be handed on before it is counted as that. */
export const IS_LATE = 6
/** What holds up counting. */
export type Halt = typeof DONE | typeof RING_FULL | typeof MANY_WINDOWS | typeof REFUSED | typeof STATE_FULL | typeof IS_LATE
/** Why reading stopped. */
export type IngestStatus =
  | typeof DONE
  | typeof RING_FULL
  | typeof LETTERS_FULL
  | typeof MANY_WINDOWS
  | typeof STATE_FULL
  | typeof SCHEMA_WAITS
