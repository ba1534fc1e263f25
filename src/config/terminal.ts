/** What the environment says of the terminal. */

type Environment = Readonly<Record<string, string | undefined>>

/** Whether something may be drawn over itself: no CI reads along, and the terminal can move its cursor. */
export function mayRedraw(env: Environment = process.env): boolean {
  const ci = env.CI !== undefined && env.CI !== '' && env.CI !== 'false'
  return !ci && env.TERM !== 'dumb'
}
