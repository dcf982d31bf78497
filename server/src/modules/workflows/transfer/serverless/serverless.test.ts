import { validate } from '@serverlessworkflow/sdk'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { JsonObject } from '../../../../lib/json.ts'
import { type TestApp, testApp, type TestUser } from '../../../../test-app.ts'
import { create } from '../../definitions.testing.ts'
import { serverless } from './document.ts'
import { openExpressions } from './jq.ts'

let mill: TestApp
let anna: TestUser

beforeAll(async () => {
  mill = await testApp()
  anna = await mill.register('anna')
})
afterAll(() => mill.close())

const about = {
  id: '019aa0f0-0000-7000-8000-000000000004',
  name: 'Lead intake!',
  description: 'All of them',
  version: 7,
  namespace: 'acme',
}

const made = (definition: object) => serverless(definition as never, about)

/** The official schema of the DSL is what it is held against. */
const valid = (definition: object): JsonObject => {
  const { document, tangled } = made(definition)
  expect(tangled).toEqual([])
  validate('Workflow', document as never)
  return document as JsonObject
}

const start = { id: 'start', type: 'trigger.manual' }
const set = (id: string, values: object = { x: 1 }) => ({ id, type: 'data.set', config: { values } })
const edge = (from: string, to: string, port?: string) => ({ from, to, ...(port === undefined ? {} : { port }) })
const namesOf = (tasks: unknown): string[] => (tasks as object[]).map((task) => Object.keys(task)[0] as string)
const taskIn = (tasks: unknown, name: string) =>
  (tasks as Record<string, Record<string, never>>[]).find((task) => name in task)?.[name] as never as Record<string, never>

test('a chain of steps becomes a list of tasks that find what others gave', () => {
  const document = valid({
    nodes: [
      { id: 'clock', type: 'trigger.schedule', config: { cron: '0 9 * * *' } },
      {
        id: 'fetch',
        type: 'http.request',
        config: {
          method: 'GET',
          url: 'https://api.example.org/leads/{{ trigger.id }}',
          headers: { 'x-a': 'b' },
          query: { n: '{{ 1 + 2 }}' },
        },
        retry: { max_attempts: 4, delay_ms: 500, backoff: 'exponential' },
        timeout_ms: 5000,
        position: { x: 1, y: 2 },
      },
      set('pick', {
        total: '{{ steps.fetch.output.body.total * 2 }}',
        text: 'Hello {{ steps.fetch.output.?name.orValue("you") }}',
        plain: 'costs ${5}',
      }),
      { id: 'pause', type: 'flow.wait', config: { for_ms: 1500 } },
    ],
    edges: [edge('clock', 'fetch'), edge('fetch', 'pick'), edge('pick', 'pause')],
    settings: { timeout_ms: 60_000, timezone: 'Europe/Vienna' },
    pins: { fetch: 1 },
  })
  expect(document['document']).toMatchObject({
    dsl: '1.0.3',
    namespace: 'acme',
    name: 'lead-intake',
    version: '7.0.0',
    title: 'Lead intake!',
  })
  expect(document).toMatchObject({ schedule: { cron: '0 9 * * *' }, timeout: { after: { milliseconds: 60_000 } } })
  expect(namesOf(document['do'])).toEqual(['fetch', 'pick', 'pause'])
  expect(taskIn(document['do'], 'fetch')).toMatchObject({
    try: [
      {
        fetch_try: {
          call: 'http',
          with: {
            method: 'get',
            endpoint: {
              uri: '${ "https://api.example.org/leads/" + ($workflow.input.id | if . == null then "" elif type == "string" then . else tojson end) }',
            },
            query: { n: '${ (1 + 2) }' },
            output: 'response',
          },
        },
      },
    ],
    catch: { retry: { delay: { milliseconds: 500 }, backoff: { exponential: {} }, limit: { attempt: { count: 3 } } } },
    timeout: { after: { milliseconds: 5000 } },
    export: { as: '${ ($context // {}) * {steps: {"fetch": {output: .}}} }' },
  })
  expect(taskIn(document['do'], 'pick')).toMatchObject({
    set: { total: '${ ($context.steps.fetch.output.body.total * 2) }', plain: '${ "costs ${5}" }' },
  })
  const { lost } = (document['document'] as { metadata: { lost: { node_id: string | null; what: string }[] } }).metadata
  expect(lost.map(({ what }) => what)).toEqual(['Where the nodes stand in the drawing.', 'What is pinned.', 'The setting timezone.'])
})

test('branches that come together become a switch between blocks, and go on behind it', () => {
  const document = valid({
    nodes: [
      start,
      { id: 'big', type: 'flow.if', config: { condition: 'trigger.total > 100' } },
      set('yes'),
      set('no'),
      { id: 'join', type: 'flow.merge', config: { mode: 'first' } },
      set('last'),
    ],
    edges: [
      edge('start', 'big'),
      edge('big', 'yes', 'true'),
      edge('big', 'no', 'false'),
      edge('yes', 'join'),
      edge('no', 'join'),
      edge('join', 'last'),
    ],
  })
  expect(namesOf(document['do'])).toEqual(['big', 'big_choice', 'big_true', 'big_false', 'join', 'last'])
  expect(taskIn(document['do'], 'big_choice')).toEqual({
    switch: [{ true: { when: '${ ($workflow.input.total > 100) }', then: 'big_true' } }, { false: { then: 'big_false' } }],
  })
  expect(taskIn(document['do'], 'big_true')).toMatchObject({ then: 'join' })
})

test('a way that ends early ends the workflow, and the other goes on', () => {
  const document = valid({
    nodes: [
      start,
      {
        id: 'route',
        type: 'flow.switch',
        config: {
          cases: [
            { port: 'a', when: 'trigger.k == "a"' },
            { port: 'b', when: 'trigger.k == "b"' },
          ],
        },
      },
      set('one'),
      set('two'),
    ],
    edges: [edge('start', 'route'), edge('route', 'one', 'a'), edge('route', 'two', 'b')],
  })
  expect(taskIn(document['do'], 'route_choice')['switch']).toEqual([
    { a: { when: '${ ($workflow.input.k == "a") }', then: 'route_a' } },
    { b: { when: '${ ($workflow.input.k == "b") }', then: 'route_b' } },
    { otherwise: { then: 'exit' } },
  ])
})

test('what runs at the same time becomes a fork, and what waits for it stands behind', () => {
  const document = valid({
    nodes: [start, set('a'), set('b'), set('b2'), { id: 'join', type: 'flow.merge', config: {} }],
    edges: [edge('start', 'a'), edge('start', 'b'), edge('b', 'b2'), edge('a', 'join'), edge('b2', 'join')],
  })
  expect(namesOf(document['do'])).toEqual(['start_fork', 'join'])
  const { branches } = taskIn(document['do'], 'start_fork')['fork'] as never as { branches: Record<string, { do: object[] }>[] }
  expect(branches.map((branch) => namesOf(Object.values(branch)[0]?.do))).toEqual([['a'], ['b', 'b2']])
})

test('loops, errors, approvals, calls, programs, stops and unknown types find their form', () => {
  const document = valid({
    nodes: [
      { id: 'hook', type: 'trigger.webhook', config: { path: 'x' } },
      {
        id: 'each',
        type: 'flow.loop',
        config: {
          items: 'trigger.body.list',
          batch_size: 2,
          parallel: 3,
          body: {
            nodes: [{ id: 'odd', type: 'flow.if', config: { condition: 'index % 2 == 1' } }, set('line', { n: '{{ item }}' })],
            edges: [edge('odd', 'line', 'true')],
          },
        },
      },
      { id: 'ask', type: 'flow.approval', config: { approvers: ['x'], needed: 1, message: 'Well?' } },
      {
        id: 'risky',
        type: 'http.request',
        config: { method: 'POST', url: 'https://example.org', body: { a: '{{ steps.each.output.items }}' } },
        on_error: 'error',
      },
      { id: 'sub', type: 'flow.call', config: { workflow_id: about.id, wait: false } },
      { id: 'calc', type: 'data.code', config: { source: 'export default (x) => x' } },
      { id: 'rows', type: 'data.map', config: { items: 'steps.each.output.items', values: { n: '{{ item.n + index }}' } } },
      { id: 'some', type: 'data.filter', config: { items: 'steps.rows.output', condition: 'item.n > 1' } },
      { id: 'keep', type: 'data.set', config: { values: { z: '{{ json.decode("1") }}' }, keep: true } },
      { id: 'mail', type: 'mail.send', config: { to: 'a@example.org' } },
      { id: 'answer', type: 'http.respond', config: { status: 201 } },
      { id: 'fail', type: 'flow.stop', config: { status: 'failed', message: 'No: {{ steps.risky.output.error.message }}' } },
      { id: 'gone', type: 'flow.stop', config: { status: 'succeeded' } },
    ],
    edges: [
      edge('hook', 'each'),
      edge('each', 'ask'),
      edge('ask', 'risky', 'approved'),
      edge('ask', 'gone', 'rejected'),
      edge('risky', 'sub'),
      edge('risky', 'fail', 'error'),
      ...[
        ['sub', 'calc'],
        ['calc', 'rows'],
        ['rows', 'some'],
        ['some', 'keep'],
        ['keep', 'mail'],
        ['mail', 'answer'],
      ].map(([from, to]) => edge(from as string, to as string)),
    ],
  })
  const text = JSON.stringify(document)
  expect(text).toContain('"for":{"each":"item","at":"index"')
  expect(text).toContain('"raise"')
  expect(text).toContain('"call":"mail.send"')
  const { lost } = (document['document'] as { metadata: { lost: { node_id: string | null }[] } }).metadata
  expect(lost.map(({ node_id }) => node_id)).toEqual(expect.arrayContaining(['hook', 'each', 'ask', 'calc', 'mail', 'answer']))
})

test.each([
  [
    'a way that jumps into another branch',
    {
      nodes: [
        start,
        { id: 'if1', type: 'flow.if', config: { condition: true } },
        { id: 'if2', type: 'flow.if', config: { condition: true } },
        set('a'),
        set('b'),
        set('c'),
      ],
      edges: [
        edge('start', 'if1'),
        edge('if1', 'if2', 'true'),
        edge('if1', 'b', 'false'),
        edge('if2', 'a', 'true'),
        edge('if2', 'b', 'false'),
        edge('b', 'c'),
        edge('a', 'c'),
      ],
    },
    'b',
  ],
  [
    'a race',
    {
      nodes: [start, set('a'), set('b'), { id: 'first', type: 'flow.merge', config: { mode: 'first' } }],
      edges: [edge('start', 'a'), edge('start', 'b'), edge('a', 'first'), edge('b', 'first')],
    },
    'first',
  ],
  [
    'triggers that start at different places',
    { nodes: [start, { id: 'other', type: 'trigger.manual' }, set('a'), set('b')], edges: [edge('start', 'a'), edge('other', 'b')] },
    'other',
  ],
  [
    'a loop that hands on',
    {
      nodes: [start, { id: 'again', type: 'flow.while', config: { condition: 'index < 2', body: { nodes: [set('x')], edges: [] } } }],
      edges: [edge('start', 'again')],
    },
    'again',
  ],
])('%s is refused, and the node is named', async (_, definition, node_id) => {
  expect(made(definition).tangled.map((each) => each.node_id)).toContain(node_id)
  const { id } = await create(anna, definition)
  const { status, body } = await anna.call('GET', `/api/v1/workflows/${id}/export?format=serverless-workflow`)
  expect([status, body.code]).toEqual([422, 'workflows.not_structured'])
  expect(JSON.stringify(body.errors)).toContain(`\\"${node_id}\\"`)
})

test('a draft with mistakes is not written down', async () => {
  const { id } = await create(anna, { nodes: [start, { id: 'route', type: 'flow.switch', config: {} }], edges: [edge('start', 'route')] })
  const reply = await anna.call('GET', `/api/v1/workflows/${id}/export?format=serverless-workflow`)
  expect(reply).toMatchObject({ status: 422, body: { code: 'workflows.not_publishable' } })
})

test('it comes as a file', async () => {
  const { id } = await create(anna, { nodes: [start, set('a')], edges: [edge('start', 'a')] }, { name: 'My flow' })
  const { status, body, headers } = await anna.call('GET', `/api/v1/workflows/${id}/export?format=serverless-workflow`)
  expect(status).toBe(200)
  expect(headers.get('content-disposition')).toBe('attachment; filename="my-flow.serverless.json"')
  validate('Workflow', body)
  expect(body.document).toMatchObject({ namespace: 'anna', name: 'my-flow', version: '0.0.0' })
})

const jq: readonly (readonly [cel: string, jq: string])[] = [
  ['trigger.body.name', '$workflow.input.body.name'],
  ['steps.a.output["odd key"][0]', '$context.steps.a.output["odd key"][0]'],
  ['trigger.?a.?b.orValue(1)', '($workflow.input.a.b | if . == null then 1 else . end)'],
  ['has(trigger.a)', '($workflow.input.a != null)'],
  ['item.n > index && !(item.ok)', '(($item.n > $index) and ($item.ok | not))'],
  ['size(trigger.list) == 2 ? "two" : "more"', '(if (($workflow.input.list | length) == 2) then "two" else "more" end)'],
  [
    'trigger.list.map(x, x * 2)',
    '(($workflow.input.list | if type == "object" then keys_unsorted else . end) | map(. as $x_ | ($x_ * 2)))',
  ],
  ['"b" in trigger.list', '("b" as $one | $workflow.input.list | if type == "object" then has($one) else any(.[]; . == $one) end)'],
  ['trigger.s.upper().startsWith("A")', '(($workflow.input.s | ascii_upcase) | startswith("A"))'],
  ['{"a": [1, -trigger.n]}', '{("a"): [1, (-($workflow.input.n))]}'],
  ['execution.id', '$workflow.id'],
  ['json.encode(trigger)', '($workflow.input | tojson)'],
]

test.each(jq)('%s is %s in jq', (cel, expected) => {
  const lost: string[] = []
  expect(openExpressions((_, what) => lost.push(what)).expression(cel, 'a')).toBe(expected)
  expect(lost).toEqual([])
})

test('an expression that jq has nothing for fails where it stands, and is reported', () => {
  const lost: string[] = []
  const expressions = openExpressions((where, what) => lost.push(`${where}: ${what}`))
  expect(expressions.value('{{ hash.sha256(trigger.a) }}', 'sign')).toBe('${ error("To be written by hand: hash.sha256(trigger.a)") }')
  expect(lost).toEqual([expect.stringContaining('sign: The expression `hash.sha256(trigger.a)` has no counterpart in jq')])
})
