/** Under coverage (NODE_V8_COVERAGE set by c8) the runner ends its processes before they would write what they saw; so they write it here. */
import { takeCoverage } from 'node:v8'
import { afterAll } from 'vitest'

afterAll(() => {
  if (process.env.NODE_V8_COVERAGE !== undefined) takeCoverage()
})
