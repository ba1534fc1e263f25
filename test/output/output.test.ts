import { expect, test } from 'vitest'
import { allDelivered, type Output, type Outputs } from '../../src/output/output.ts'

/** An output whose acknowledgement is in the test's hands. */
function handOutput(): { output: Output; gate: PromiseWithResolvers<void> } {
  const gate = Promise.withResolvers<void>()
  const output = { full: false, put() {}, room: async () => {}, delivered: () => gate.promise, close: async () => {} }
  return { output, gate }
}

test('all is delivered when the last of several outputs has acknowledged, and not before', async () => {
  const hands = [handOutput(), handOutput(), handOutput()]
  const [deadLetters, second, third] = hands.map(({ output }) => output)
  const outputs = { deadLetters, second, third } as unknown as Outputs
  let done = false
  const waiting = allDelivered(outputs).then(() => {
    done = true
  })
  for (const { gate } of hands) {
    await new Promise((resolve) => setImmediate(resolve))
    expect(done).toBe(false)
    gate.resolve()
  }
  await waiting
  expect(done).toBe(true)
})

test('an output that is closed first fails the whole, whichever it is', async () => {
  const [one, other] = [handOutput(), handOutput()]
  const claim = expect(allDelivered({ deadLetters: one.output, other: other.output } as unknown as Outputs)).rejects.toThrow('closed')
  other.gate.reject(new Error('closed'))
  await claim
})
