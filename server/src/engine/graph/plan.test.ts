import { test, expect } from 'vitest'
import type { Definition } from './definition.ts'
import { buildGraph, type NodeShape } from './graph.ts'
import { begin, inputsOf, outcomeOf, passOn, plan, replay, settle, type Step } from './plan.ts'

const shapes: { [type: string]: NodeShape } = {
  trigger: { kind: 'trigger', ports: ['out'] },
  work: { kind: 'effect', ports: ['out'] },
  if: { kind: 'pure', ports: ['true', 'false'] },
  all: { kind: 'merge', ports: ['out'], merge_mode: 'all' },
  first: { kind: 'merge', ports: ['out'], merge_mode: 'first' },
}

const graphOf = (nodes: readonly string[], edges: readonly string[], settings: Definition['settings'] = {}) =>
  buildGraph(
    {
      nodes: nodes.map((entry) => {
        const [id = '', type = '', flag] = entry.split(':')
        return { id, type, disabled: flag === 'disabled' }
      }),
      edges: edges.map((entry) => {
        const [from = '', to = ''] = entry.split(' ')
        const [id = '', port = 'out'] = from.split('.')
        return { from: id, port, to }
      }),
      settings,
    },
    (node) => shapes[node.type] as NodeShape,
  )

const done = (node_id: string, step: Partial<Step> = {}): Step => ({
  node_id,
  attempt: 1,
  status: 'succeeded',
  port: 'out',
  output: `output of ${node_id}`,
  error: null,
  started_at: 0,
  finished_at: 0,
  retry_at: null,
  ...step,
})

const fired = { node_id: 't', payload: { hello: true }, at: 1000 }
const ids = (ready: readonly { node_id: string }[]) => ready.map((entry) => entry.node_id)

test('a line of nodes runs one after the other and ends with the output of the last', () => {
  const run = begin(graphOf(['t:trigger', 'a:work', 'b:work'], ['t a', 'a b']), fired)
  expect(ids(plan(run, 1000).start)).toEqual(['a'])
  expect(inputsOf(run, 1)).toEqual({ input: { hello: true }, inputs: { t: { hello: true } } })
  expect(ids(settle(run, done('a')))).toEqual(['b'])
  expect(outcomeOf(run, 1000)).toBeNull()
  expect(settle(run, done('b'))).toEqual([])
  expect(outcomeOf(run, 1000)).toEqual({ status: 'succeeded', output: 'output of b', error: null })
})

test('the path that a condition does not take is pruned all the way, and a node behind both waits for the live one alone', () => {
  const run = begin(
    graphOf(['t:trigger', 'c:if', 'x:work', 'y:work', 'z:work', 'end:work'], ['t c', 'c.true x', 'c.false y', 'y z', 'x end', 'z end']),
    fired,
  )
  expect(ids(settle(run, done('c', { port: 'true' })))).toEqual(['x'])
  expect(ids(settle(run, done('x')))).toEqual(['end'])
  expect(inputsOf(run, 5)).toEqual({ input: 'output of x', inputs: { x: 'output of x' } })
})

test('a merge of all waits for every branch and passes on what the live ones gave, by node id', () => {
  const run = begin(graphOf(['t:trigger', 'a:work', 'b:work', 'm:all'], ['t a', 't b', 'a m', 'b m']), fired)
  expect(settle(run, done('b'))).toEqual([])
  expect(ids(settle(run, done('a')))).toEqual(['m'])
  expect(passOn(run, 3)).toEqual({ output: { a: 'output of a', b: 'output of b' }, port: 'out' })
})

test('a merge of the first runs once, with the output of the branch that came first in the journal', () => {
  const run = begin(graphOf(['t:trigger', 'a:work', 'b:work', 'm:first', 'n:work'], ['t a', 't b', 'a m', 'b m', 'm n']), fired)
  expect(ids(settle(run, done('b')))).toEqual(['m'])
  expect(passOn(run, 3)).toEqual({ output: 'output of b', port: 'out' })
  expect(settle(run, done('a'))).toEqual([])
  expect(passOn(run, 3)).toEqual({ output: 'output of b', port: 'out' })
  expect(ids(settle(run, done('m')))).toEqual(['n'])
})

test('a disabled node passes its input on through its first port', () => {
  const graph = graphOf(['t:trigger', 'c:if:disabled', 'x:work', 'y:work'], ['t c', 'c.true x', 'c.false y'])
  const run = begin(graph, fired)
  expect(graph.nodes[1]?.passes_through).toBe(true)
  const { output, port } = passOn(run, 1)
  expect({ output, port }).toEqual({ output: { hello: true }, port: 'true' })
  expect(ids(settle(run, done('c', { output, port })))).toEqual(['x'])
})

test('a trigger that did not fire, and what hangs on it alone, never runs', () => {
  const run = begin(graphOf(['t:trigger', 'u:trigger', 'a:work', 'b:work', 'both:work'], ['t a', 'u b', 'a both', 'b both']), fired)
  expect(ids(plan(run, 1000).start)).toEqual(['a'])
  expect(ids(settle(run, done('a')))).toEqual(['both'])
})

test('a failed attempt waits for its retry, and the plan says when to wake', () => {
  const graph = graphOf(['t:trigger', 'a:work'], ['t a'], { timeout_ms: 60_000 })
  const error = { code: 'http.status', message: '503', details: null }
  const failed = done('a', { status: 'failed', port: null, output: null, error, retry_at: 5000 })
  const run = replay(graph, fired, [failed])
  expect(plan(run, 2000)).toEqual({ start: [], wake_at: 5000, outcome: null })
  const again = { run, index: 1, node_id: 'a', attempt: 2, not_before: 5000 }
  expect(plan(run, 5000)).toEqual({ start: [again], wake_at: 61_000, outcome: null })
  settle(run, done('a', { attempt: 2 }))
  expect(plan(run, 5000).outcome?.status).toBe('succeeded')
})

test('the first failure ends the execution, whatever the other branches bring later', () => {
  const run = begin(graphOf(['t:trigger', 'a:work', 'b:work', 'c:work'], ['t a', 't b', 'b c']), fired)
  const error = { code: 'node.timeout', message: 'too slow', details: null }
  expect(settle(run, done('a', { status: 'failed', port: null, error }))).toEqual([])
  expect(settle(run, done('b'))).toEqual([])
  expect(plan(run, 1000)).toEqual({
    start: [],
    wake_at: null,
    outcome: { status: 'failed', output: null, error: { ...error, node_id: 'a' } },
  })
})

test('a failure that is handled leaves by its port', () => {
  const run = begin(graphOf(['t:trigger', 'a:work', 'ok:work', 'sorry:work'], ['t a', 'a ok', 'a.error sorry']), fired)
  const error = { code: 'http.status', message: '500', details: null }
  expect(ids(settle(run, done('a', { status: 'failed', port: 'error', output: { error: { code: 'x' } }, error })))).toEqual(['sorry'])
})

test('an execution that outlives its time is over, but not one that ended in time', () => {
  const graph = graphOf(['t:trigger', 'a:work'], ['t a'], { timeout_ms: 500 })
  expect(plan(begin(graph, fired), 1499).outcome).toBeNull()
  expect(plan(begin(graph, fired), 1500).outcome).toMatchObject({ status: 'timed_out', error: { code: 'execution.timed_out' } })
  expect(plan(replay(graph, fired, [done('a')]), 9999).outcome?.status).toBe('succeeded')
})

test('a journal with a step whose turn it was not is refused', () => {
  const graph = graphOf(['t:trigger', 'a:work', 'b:work'], ['t a', 'a b'])
  expect(() => replay(graph, fired, [done('b')])).toThrow(/whose turn it was not/)
  expect(() => replay(graph, fired, [done('a'), done('a')])).toThrow(/attempt 1 of "a"/)
  expect(() => replay(graph, fired, [done('a', { attempt: 2 })])).toThrow(/attempt 2 of "a"/)
  expect(() => replay(graph, fired, [done('nobody')])).toThrow(/"nobody"/)
})
