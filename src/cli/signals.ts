/**
 * SIGINT and SIGTERM. The first asks the verb to finish; a second one ends the process at once with 130 or 143.
 *
 * A Ctrl-C reaches every process of the terminal's group, and npm and bin/ctr.js pass signals on as well, so one key press may arrive
 * several times: signals within REPEAT_MS of the first are the same request.
 */

const REPEAT_MS = 500

const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const

/** The signals that ask for the end. */
export type StopSignal = keyof typeof EXIT_CODES

export interface Stop {
  /** Aborts at the first signal; its reason is the signal's name. */
  readonly signal: AbortSignal
  /** Gives the signals back to their default action. */
  dispose(): void
}

/** Listens for signals from now on. `exit` is called with the exit code on the second one. */
export function listenForStop(exit: (code: number) => void = process.exit, now: () => number = performance.now.bind(performance)): Stop {
  const controller = new AbortController()
  let first: number | undefined
  const onSignal = (name: StopSignal) => {
    if (first === undefined) {
      first = now()
      controller.abort(name)
    } else if (now() - first >= REPEAT_MS) exit(EXIT_CODES[name])
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  return {
    signal: controller.signal,
    dispose: () => {
      process.off('SIGINT', onSignal)
      process.off('SIGTERM', onSignal)
    },
  }
}
