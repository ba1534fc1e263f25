/** The token of a command line that asks a running pipeline: in the environment, where a list of processes does not show it. */
const VARIABLE = 'CTR_TOKEN'

/** undefined when there is none. */
export function tokenOfEnvironment(env: Readonly<Record<string, string | undefined>> = process.env): string | undefined {
  const token = env[VARIABLE]
  return token === undefined || token === '' ? undefined : token
}
