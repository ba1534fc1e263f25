/**
 * Vitest's order of files: folders that take longest first, so that no long file is left alone on one core at the end. Vitest itself knows
 * how long files take only where it has run before.
 */
import { BaseSequencer, type TestSpecification } from 'vitest/node'

const LONG: readonly RegExp[] = [/\/test\/integration\//, /\/test\/simulation\//, /\/test\/run\//, /\/test\/(sink|kafka)\//]

export default class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => LONG.findIndex((folder) => folder.test(moduleId)) >>> 0
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b))
  }
}
