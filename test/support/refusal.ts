import type { CtrError } from '../../src/errors.ts'

/** What the work was refused with; throws when it was not. */
export async function refusal(work: Promise<unknown>): Promise<CtrError> {
  try {
    await work
  } catch (error) {
    return error as CtrError
  }
  throw new Error('nothing was refused')
}
