/**
 * Node's modules of HTTP, asked for instead of imported: an import makes what they export beside HTTP too, which loads a second client of
 * HTTP and WebSockets into each thread, for 40 ms of CPU and some megabytes. HTTPS is loaded by who needs it.
 */
export const http = process.getBuiltinModule('node:http')

/** Loads what TLS takes. */
export function loadHttps(): typeof import('node:https') {
  return process.getBuiltinModule('node:https')
}
