import { expect, test } from 'vitest'
import { type CpuProfile, readProfile } from '../../perf/cpu-profile.ts'

const node = (id: number, functionName: string, url: string, lineNumber = 0) => ({ id, callFrame: { functionName, url, lineNumber } })
const PROFILE: CpuProfile = {
  nodes: [
    node(1, '(root)', ''),
    node(2, 'add', 'file:///repo/src/window/pane.ts', 61),
    node(3, 'add', 'file:///repo/src/window/pane.ts', 61),
    node(4, '', 'file:///elsewhere/node_modules/kafkajs/index.js', 9),
    node(5, 'work', 'file:///repo/src/worker/worker.ts', 40),
    node(6, 'wait', 'node:fs', 4),
  ],
  samples: [2, 3, 4, 6, 1],
  timeDeltas: [1_000_000, 2_000_000, 500_000, 250_000, -5],
}

test('self time is added up by function, wherever it was called from', () => {
  expect(readProfile(PROFILE, '/repo/', '2')).toEqual({
    thread: 'worker (thread 2)',
    seconds: 3.75,
    functions: [
      { name: 'add', place: 'src/window/pane.ts:62', seconds: 3 },
      { name: '(anonymous)', place: 'node_modules/kafkajs/index.js:10', seconds: 0.5 },
      { name: 'wait', place: 'node:fs:5', seconds: 0.25 },
      { name: '(root)', place: '', seconds: 0 },
    ],
  })
})

test('a thread that runs none of the known files goes by its number', () => {
  expect(readProfile({ ...PROFILE, nodes: PROFILE.nodes.slice(0, 4) }, '/repo/', '7').thread).toBe('thread 7')
})
