import { Type } from 'typebox'
import { expect, test } from 'vitest'
import type { Json } from '../lib/json.ts'
import { compileVersion, scopeFor } from './compile.ts'
import type { Definition } from './graph/definition.ts'
import { begin, inputsOf, outcomeOf, passOn, plan, type Ready, settle } from './graph/plan.ts'
import { NodeFailure, type NodeType, pure } from './node.ts'
import { coreNodes } from './nodes/core.ts'

const strict = pure({
  type: 'test.strict',
  title: 'Strict',
  description: 'Takes a whole number and a condition.',
  icon: 'x',
  config: Type.Object({
    count: Type.Integer({ minimum: 1 }),
    when: Type.Optional(Type.String({ format: 'expression' })),
    verbatim: Type.Optional(Type.String({ format: 'literal' })),
    nested: Type.Optional(Type.Array(Type.Object({ when: Type.String({ format: 'expression' }) }))),
  }),
  output: Type.Unknown(),
  run: ({ config }) => ({ output: config as Json }),
})

const nodeTypes: ReadonlyMap<string, NodeType> = new Map([...coreNodes, strict].map((type) => [type.type, type]))

const facts = {
  execution_id: 'e1',
  workspace_id: 'w1',
  workflow_id: 'f1',
  version: 3,
  mode: 'live',
  started_at: Date.UTC(2026, 0, 1),
} as const
const hook = { id: 'hook', type: 'trigger.webhook', config: { path: 'in' } }

/** Runs a definition of pure nodes to its end, as the plan says. */
const runToEnd = (definition: Definition, payload: Json) => {
  const version = compileVersion(definition, nodeTypes)
  const run = begin(version.graph, { node_id: 'hook', payload, at: facts.started_at })
  const scope = scopeFor({ version, run, facts })
  const ran: string[] = []
  const queue: Ready[] = [...plan(run, 0).start]
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    ran.push(next.node_id)
    const node = version.nodes[next.index]
    const work = (): { output: Json; port?: string } => {
      if (version.graph.nodes[next.index]?.passes_through === true) return passOn(run, next.index)
      if (node?.type.kind !== 'pure') throw new Error('pure nodes only')
      return node.type.run({ config: node.evaluate(scope) as never, ...inputsOf(run, next.index) })
    }
    const { output, port } = work()
    const step = { status: 'succeeded', error: null, started_at: 0, finished_at: 0, retry_at: null } as const
    queue.push(...settle(run, { ...step, node_id: next.node_id, attempt: 1, output, port: port ?? 'out' }))
  }
  return { outcome: outcomeOf(run, 0), ran }
}

test('a workflow of conditions, merges and values gives what its expressions say', () => {
  const definition: Definition = {
    nodes: [
      hook,
      { id: 'main', type: 'flow.if', config: { condition: 'trigger.body.ref == "refs/heads/main"' } },
      {
        id: 'count',
        type: 'data.set',
        config: { values: { commits: '{{ size(trigger.body.commits) }}', by: '{{ trigger.body.pusher }}' } },
      },
      { id: 'skip', type: 'data.set', config: { values: { skipped: true } } },
      { id: 'join', type: 'flow.merge' },
      {
        id: 'reply',
        type: 'http.respond',
        config: { status: 201, body: { text: '{{ steps.?count.?output.commits.orValue(0) }} commits', from: '{{ steps.join.output }}' } },
      },
    ],
    edges: [
      { from: 'hook', to: 'main' },
      { from: 'main', port: 'true', to: 'count' },
      { from: 'main', port: 'false', to: 'skip' },
      { from: 'count', to: 'join' },
      { from: 'skip', to: 'join' },
      { from: 'join', to: 'reply' },
    ],
  }
  const pushed = runToEnd(definition, { body: { ref: 'refs/heads/main', commits: [1, 2], pusher: 'Ann' } })
  expect(pushed.ran).toEqual(['main', 'count', 'join', 'reply'])
  expect(pushed.outcome?.output).toEqual({ status: 201, body: { text: '2 commits', from: { count: { commits: 2, by: 'Ann' } } } })
  const other = runToEnd(definition, { body: { ref: 'refs/heads/x', commits: [] } })
  expect(other.ran).toEqual(['main', 'skip', 'join', 'reply'])
  expect(other.outcome?.output).toEqual({ status: 201, body: { text: '0 commits', from: { skip: { skipped: true } } } })
})

test('a node after a trigger has its payload as input, and a set that keeps adds to it', () => {
  const definition: Definition = {
    nodes: [hook, { id: 'set', type: 'data.set', config: { keep: true, values: { a: '{{ trigger.a + 1 }}' } } }],
    edges: [{ from: 'hook', to: 'set' }],
  }
  expect(runToEnd(definition, { a: 1, b: 2 }).outcome?.output).toEqual({ a: 2, b: 2 })
})

const evaluateStrict = (config: Definition['nodes'][number]['config'], payload: Json) => {
  const version = compileVersion(
    { nodes: [hook, { id: 'n', type: 'test.strict', config: config ?? {} }], edges: [{ from: 'hook', to: 'n' }] },
    nodeTypes,
  )
  const run = begin(version.graph, { node_id: 'hook', payload, at: facts.started_at })
  return version.nodes[1]?.evaluate(scopeFor({ version, run, facts }))
}

const failureOf = (work: () => unknown): NodeFailure => {
  try {
    work()
  } catch (error) {
    if (error instanceof NodeFailure) return error
    throw error
  }
  throw new Error('did not fail')
}

test('what the schema calls an expression is one, what it calls literal is not, at any depth', () => {
  const config = { count: 1, when: 'trigger.n > 1', verbatim: '{{ trigger.n }}', nested: [{ when: '{{ trigger.n }}' }] }
  expect(evaluateStrict(config, { n: 2 })).toEqual({ count: 1, when: true, verbatim: '{{ trigger.n }}', nested: [{ when: 2 }] })
})

test('a config is checked again once its expressions have values', () => {
  expect(evaluateStrict({ count: '{{ trigger.n }}' }, { n: 2 })).toEqual({ count: 2 })
  const failure = failureOf(() => evaluateStrict({ count: '{{ trigger.n }}' }, { n: 0 }))
  expect(failure).toMatchObject({ code: 'node.config_invalid', retryable: false, details: { field: '/count' } })
  expect(failure.message).toContain('count')
  expect(failureOf(() => evaluateStrict({ count: '{{ trigger.n }}' }, { n: '2' })).code).toBe('node.config_invalid')
})

test('an expression that fails names the field and the place in it', () => {
  const failure = failureOf(() => evaluateStrict({ count: 1, nested: [{ when: 'trigger.n.deep' }] }, { n: 1 }))
  expect(failure).toMatchObject({
    code: 'expression.missing',
    retryable: false,
    details: { field: '/nested/0/when', position: { offset: 10, line: 1, column: 11 } },
  })
  expect(failure.message).toBe('nested/0/when: trigger.n is a number, which has no field "deep"')
})

test('a config without expressions is handed on as it is', () => {
  const config = { count: 3 }
  expect(evaluateStrict(config, {})).toBe(config)
})

test('a condition for another try sees the error, and one that fails leaves the decision to the error', () => {
  const retry = (retry_if: string) => ({ max_attempts: 3, retry_if })
  const node = (id: string, condition: string) => ({
    id,
    type: 'http.request',
    config: { method: 'GET', url: 'https://example.com' },
    retry: retry(condition),
  })
  const definition: Definition = {
    nodes: [
      hook,
      node('a', 'error.code == "http.status" && error.details.status >= 500'),
      node('b', '{{ error.nothing.at.all }}'),
      node('c', 'trigger.n'),
    ],
    edges: [],
  }
  const version = compileVersion(definition, nodeTypes)
  const scope = scopeFor({ version, run: begin(version.graph, { node_id: 'hook', payload: { n: 1 }, at: 0 }), facts })
  const error = (status: number) => ({ code: 'http.status', message: '', details: { status } })
  expect(version.nodes.slice(1).map(({ retryIf }) => retryIf?.(scope, error(503)))).toEqual([true, null, null])
  expect(version.nodes[1]?.retryIf?.(scope, error(404))).toBe(false)
  expect(version.nodes[0]?.retryIf).toBeNull()
})

test('an execution tells its expressions about itself', () => {
  const definition: Definition = {
    nodes: [
      hook,
      {
        id: 'set',
        type: 'data.set',
        config: { values: { all: '{{ [execution, workspace] }}', year: '{{ execution.started_at.getFullYear() }}' } },
      },
    ],
    edges: [{ from: 'hook', to: 'set' }],
  }
  expect(runToEnd(definition, null).outcome?.output).toEqual({
    all: [{ id: 'e1', workflow_id: 'f1', version: 3, mode: 'live', started_at: '2026-01-01T00:00:00.000Z' }, { id: 'w1' }],
    year: 2026,
  })
})

test('only a trigger that is there and not disabled may fire', () => {
  const version = compileVersion(
    {
      nodes: [hook, { id: 'off', type: 'trigger.manual', disabled: true }, { id: 'set', type: 'data.set', config: { values: {} } }],
      edges: [],
    },
    nodeTypes,
  )
  expect(['hook', 'off', 'set', 'nobody', 'constructor'].map(version.triggerType)).toEqual(['trigger.webhook', null, null, null, null])
})
