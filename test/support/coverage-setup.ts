/** The runner ends its processes before they would write what c8 (NODE_V8_COVERAGE) waits for; so they write it here. */
import { takeCoverage } from 'node:v8'
import { afterAll } from 'vitest'

afterAll(() => {
  if (process.env.NODE_V8_COVERAGE !== undefined) takeCoverage()
})
