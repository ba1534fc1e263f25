import picocolors from 'picocolors'

/** Whether stdout takes colours: a terminal, and nobody has asked for none (NO_COLOR). */
export const COLOURS: boolean = process.stdout.isTTY === true && picocolors.isColorSupported
