import { expect, test } from 'vitest'
import { check } from './check.ts'
import { coreNodes } from './nodes/core.ts'

const nodeTypes = new Map(coreNodes.map((type) => [type.type, type]))
const problemsOf = (settings: object): readonly string[] =>
  check({ nodes: [{ id: 'start', type: 'trigger.manual' }], edges: [], settings }, { nodeTypes }).problems.map(
    ({ path, message }) => `${path}: ${message}`,
  )

test('mistakes in limits are named with their place', () => {
  expect(problemsOf({ concurrency: 0 })).toEqual(['/settings/concurrency: "concurrency" must be at least 1'])
  expect(problemsOf({ concurrency: 'many' })).toEqual(['/settings/concurrency: "concurrency" must be a whole number or an object'])
  expect(problemsOf({ concurrency: { limits: 3 } })).toEqual([
    '/settings/concurrency/limit: "limit" is missing',
    '/settings/concurrency/limits: "limits" is not known here; did you mean "limit"?',
  ])
  expect(problemsOf({ rate_limit: { limit: 3 }, priority: 101 })).toEqual([
    '/settings/rate_limit/per_ms: "per_ms" is missing',
    '/settings/priority: "priority" must be at most 100',
  ])
})

test('a key is an expression over the trigger that gives one value', () => {
  const of = (key: string) => problemsOf({ concurrency: { limit: 3, key } })
  expect(of('trigger.')).toEqual([expect.stringMatching(/^\/settings\/concurrency\/key: .+\(line 1, column \d+\)$/)])
  expect(of('steps.set.output')).toEqual([expect.stringMatching(/^\/settings\/concurrency\/key: .*steps/)])
  expect(of('[trigger.a]')).toEqual(['/settings/concurrency/key: A key must give a text, a number, or true or false (line 1, column 1)'])
  for (const key of ['{{ trigger.body.customer }}', 'trigger.n % 8', 'trigger.?customer.orValue("none")', 'trigger.vip == true'])
    expect(of(key)).toEqual([])
})
