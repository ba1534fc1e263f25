/** Tells that nothing comes back from brokers, long before requests to them are given up: something may drop what is sent there. */

/** After this it is told. */
const TOLD_AFTER_MS = 3_000

/** Waits for the first contact with `brokers`; `tell` hears of it once when it takes long. */
export async function tellingSilence<T>(brokers: readonly string[], tell: (message: string) => void, contact: Promise<T>): Promise<T> {
  const remedy = 'check that they run, that nothing drops what is sent there, and that kafka.security.protocol fits their listener'
  const message = `kafka.brokers ${brokers.join(', ')}: no answer for ${TOLD_AFTER_MS / 1000} s; ${remedy}`
  const timer = setTimeout(() => tell(message), TOLD_AFTER_MS)
  try {
    return await contact
  } finally {
    clearTimeout(timer)
  }
}
