import fc from 'fast-check'
import { Compile } from 'typebox/compile'
import { expect, test } from 'vitest'
import { check } from './check.ts'
import { compileVersion } from './compile.ts'
import { definitionSchema } from './definition-schema.ts'
import type { Definition } from './graph/definition.ts'
import type { NodeType } from './node.ts'
import { coreNodes } from './nodes/core.ts'

const nodeTypes: ReadonlyMap<string, NodeType> = new Map(coreNodes.map((type) => [type.type, type]))

const hook = { id: 'hook', type: 'trigger.webhook', config: { path: 'orders/new' } }
const set = (id: string, values: unknown = {}) => ({ id, type: 'data.set', config: { values } })
const edge = (from: string, to: string, port?: string) => (port === undefined ? { from, to } : { from, port, to })

const found = (definition: unknown) => check(definition, { nodeTypes }).problems
const of = (nodes: readonly unknown[], edges: readonly unknown[] = [], rest: object = {}) => found({ nodes, edges, ...rest })
const short = (problems: ReturnType<typeof found>) => problems.map(({ severity, path, message }) => `${severity} ${path}: ${message}`)

/** A definition with one node in question behind the webhook. */
const withNode = (node: object) => short(of([hook, node], [edge('hook', (node as { id: string }).id)]))

test('a sound definition has no problems', () => {
  const nodes = [
    hook,
    { id: 'main', type: 'flow.if', config: { condition: '{{ trigger.body.ref == "refs/heads/main" }}' } },
    set('count', { commits: '{{ size(trigger.body.commits) }}', from: '{{ steps.hook.output.path }}' }),
    {
      id: 'call',
      type: 'http.request',
      config: { method: 'POST', url: 'https://example.com/{{ steps.count.output.commits }}', timeout_ms: '{{ trigger.body.t }}' },
      on_error: 'error',
      retry: { max_attempts: 3, retry_if: 'error.code == "http.status"' },
      timeout_ms: 5000,
    },
    { id: 'done', type: 'http.respond', config: { status: 201, body: '{{ steps.call.output.body }}' } },
    { id: 'sorry', type: 'http.respond', config: { status: '{{ 500 + 2 }}' } },
  ]
  const edges = [
    edge('hook', 'main'),
    edge('main', 'count', 'true'),
    edge('count', 'call'),
    edge('call', 'done'),
    edge('call', 'sorry', 'error'),
  ]
  expect(of(nodes, edges, { settings: { timezone: 'Europe/Vienna', timeout_ms: 60_000 }, pins: { call: { status: 200 } } })).toEqual([])
})

test('what is no definition at all is said to be none', () => {
  for (const value of [null, 1, 'text', [], undefined])
    expect(short(found(value))).toEqual(['error : A definition is an object with "nodes" and "edges"'])
  expect(short(found({}))).toContain('error /nodes: "nodes" is missing')
  expect(short(found({ nodes: {}, edges: 1, extra: true }))).toEqual(
    expect.arrayContaining([
      'error /nodes: "nodes" must be a list',
      'error /edges: "edges" must be a list',
      expect.stringContaining('/extra: "extra" is not known here'),
    ]),
  )
  expect(short(of([hook, 5, null]))).toEqual(
    expect.arrayContaining(['error /nodes/1: It must be an object', 'error /nodes/2: It must be an object']),
  )
})

test('a node of a type that does not exist, with the one that may have been meant', () => {
  expect(of([hook, { id: 'a', type: 'http.reqest' }], [edge('hook', 'a')])).toEqual([
    {
      node_id: 'a',
      path: '/nodes/1/type',
      severity: 'error',
      message: 'There is no node type "http.reqest"; did you mean "http.request"?',
    },
  ])
})

test('ids that are taken, or are none', () => {
  expect(of([hook, set('a'), set('a')], [edge('hook', 'a')])).toContainEqual({
    node_id: 'a',
    path: '/nodes/2/id',
    severity: 'error',
    message: 'The id "a" is taken: the node at /nodes/1 has it already',
  })
  for (const id of ['', '1a', 'a b', 'ä', '__proto__', 'a'.repeat(65)])
    expect(withNode(set(id)), id).toContain(
      'error /nodes/1/id: An id starts with a letter and goes on with letters, digits, "_" or "-", at most 64 in all',
    )
  expect(withNode(set('constructor'))).toEqual(['error /nodes/1/id: "constructor" cannot be an id: JavaScript has a meaning for it'])
})

test('edges that lead nowhere, leave through no port, or enter a trigger', () => {
  const nodes = [hook, set('first'), { id: 'if', type: 'flow.if', config: { condition: true } }]
  const problems = short(
    of(nodes, [
      edge('hook', 'frist'),
      edge('hook', 'if'),
      edge('if', 'first', 'yes'),
      edge('if', 'first'),
      edge('if', 'hook', 'true'),
      { from: 'hook' },
      edge('hook', 'if'),
    ]),
  )
  expect(problems).toEqual(
    expect.arrayContaining([
      'error /edges/0/to: There is no node "frist"; did you mean "first"?',
      'error /edges/2/port: "if" (flow.if) has no port "yes"; it has "true", "false"',
      'error /edges/3/port: "if" (flow.if) has no port "out"; it has "true", "false"',
      'error /edges/4/to: "hook" is a trigger; nothing can come before it',
      'error /edges/5/to: "to" is missing',
      'warning /edges/6: There is an edge from "hook" to "if" already',
    ]),
  )
})

test('a circle, with the nodes on it in their order', () => {
  const nodes = [hook, set('a'), set('b'), set('c'), set('behind')]
  const problems = of(nodes, [edge('hook', 'a'), edge('a', 'b'), edge('b', 'c'), edge('c', 'a'), edge('c', 'behind')])
  expect(problems).toHaveLength(1)
  expect(problems[0]).toMatchObject({ severity: 'error', path: expect.stringMatching(/^\/edges\/[123]$/) })
  expect(problems[0]?.message).toMatch(/in a circle: (a → b → c → a|b → c → a → b|c → a → b → c)$/)
  expect(short(of([hook, set('a')], [edge('hook', 'a'), edge('a', 'a')]))).toEqual([
    'error /edges/1: The nodes go round in a circle: a → a',
  ])
})

test('nothing to start it, or no way to a node', () => {
  expect(short(of([set('a')]))).toEqual([
    'error /nodes: There is no trigger, so nothing can start the workflow; add one, as `trigger.manual`',
  ])
  expect(short(of([{ ...hook, disabled: true }]))).toEqual(['warning /nodes: Every trigger is disabled, so nothing can start the workflow'])
  expect(of([hook, set('a'), set('b')], [edge('a', 'b')])).toEqual([
    { node_id: 'a', path: '/nodes/1', severity: 'warning', message: '"a" never runs: no path leads to it from a trigger' },
    { node_id: 'b', path: '/nodes/2', severity: 'warning', message: '"b" never runs: no path leads to it from a trigger' },
  ])
})

test('config that is missing, too much or of the wrong type', () => {
  expect(withNode({ id: 'a', type: 'data.set' })).toEqual(['error /nodes/1/config/values: "values" is missing'])
  expect(withNode({ id: 'a', type: 'data.set', config: { values: {}, keeep: true } })).toEqual([
    'error /nodes/1/config/keeep: "keeep" is not known here; did you mean "keep"?',
  ])
  expect(withNode({ id: 'a', type: 'data.set', config: { values: [], keep: 'yes' } })).toEqual([
    'error /nodes/1/config/values: "values" must be an object',
    'error /nodes/1/config/keep: "keep" must be true or false',
  ])
  expect(withNode({ id: 'a', type: 'http.request', config: { method: 'FETCH', url: 'https://a.example', timeout_ms: 0 } })).toEqual(
    expect.arrayContaining([
      expect.stringContaining('"method" must be one of "GET"'),
      'error /nodes/1/config/timeout_ms: "timeout_ms" must be at least 1',
    ]),
  )
  expect(withNode({ id: 'a', type: 'data.set', config: 5 })).toEqual(['error /nodes/1/config: "config" must be an object'])
  expect(withNode({ id: 'a', type: 'flow.merge', config: { mode: 'last' } })).toEqual([
    'error /nodes/1/config/mode: "mode" must be one of "all", "first"',
  ])
})

test('where an expression decides, the type is left to the run, but not where it is taken as it stands', () => {
  expect(withNode({ id: 'a', type: 'data.set', config: { values: '{{ trigger.body }}', keep: '{{ trigger.keep }}' } })).toEqual([])
  expect(withNode({ id: 'a', type: 'flow.merge', config: { mode: '{{ trigger.mode }}' } })).toEqual([
    'error /nodes/1/config/mode: "mode" must be one of "all", "first"',
  ])
})

test('expressions that cannot work, with line and column', () => {
  const problems = withNode({ ...set('a', { ok: '{{ trigger.x }}', deep: [{ er: 'Hi\n {{ trigger.body.name.uper() }}' }] }) })
  expect(problems).toEqual([
    'error /nodes/1/config/values/deep/0/er: There is no function "uper"; did you mean "upper"? (line 2, column 22)',
  ])
  expect(withNode({ id: 'a', type: 'flow.if', config: { condition: 'trigger.n >' } })).toEqual([
    'error /nodes/1/config/condition: Did not expect the end of the expression (line 1, column 12)',
  ])
  expect(withNode({ ...set('a', {}), retry: { max_attempts: 2, retry_if: 'eror.code == 1' } })).toEqual([
    'error /nodes/1/retry/retry_if: There is no "eror"; did you mean "error"? (line 1, column 1)',
  ])
  expect(withNode({ ...set('a', {}), retry: { max_attempts: 2, retry_if: '"text"' } })).toEqual([
    'error /nodes/1/retry/retry_if: A condition must give true or false',
  ])
  expect(withNode(set('a', { x: '{{ error.code }}' }))[0]).toContain('There is no "error"')
})

test.each<[string, object, string]>([
  ['flow.if', { condition: '"text"' }, 'condition: The expression gives a text; this field takes true or false'],
  ['flow.if', { condition: '{{ size(trigger.list) }}' }, 'condition: The expression gives a number; this field takes true or false'],
  ['http.request', { method: 'GET', url: '{{ [1] }}' }, 'url: The expression gives a list; this field takes text'],
  [
    'http.request',
    { method: 'GET', url: 'https://example.org', timeout_ms: '{{ trigger.s + "0" }}ms' },
    'timeout_ms: The expression gives a text; this field takes a number',
  ],
  ['data.set', { values: '{{ 1 + 1 }}' }, 'values: The expression gives a number; this field takes an object'],
])('an expression that can give nothing that its field takes: %s %j', (type, config, problem) => {
  expect(withNode({ id: 'a', type, config })).toEqual([`error /nodes/1/config/${problem}`])
})

test.each<[string, object]>([
  ['flow.if', { condition: 'trigger.x' }],
  ['flow.if', { condition: '{{ trigger.x > 1 }}' }],
  [
    'http.request',
    { method: 'GET', url: 'https://{{ trigger.n }}.example.org', timeout_ms: '{{ 1000 * 2 }}', max_bytes: '{{ trigger.n }}' },
  ],
  [
    'http.request',
    { method: 'GET', url: '{{ "https://" + trigger.host }}', headers: { a: '{{ 1 }}', b: '{{ null }}' }, body: '{{ [1] }}' },
  ],
  ['http.respond', { status: '{{ 200 }}', body: '{{ true }}' }],
  ['data.set', { values: { a: '{{ [1] }}', b: ['{{ 1 }}'] }, keep: '{{ 1 < 2 }}' }],
])('an expression that may give what its field takes: %s %j', (type, config) => {
  expect(withNode({ id: 'a', type, config })).toEqual([])
})

test('mentions of steps that are not there or cannot have run before', () => {
  const nodes = [
    hook,
    set('a', {
      own: '{{ steps.a.output }}',
      typo: '{{ steps.hok.output }}',
      side: '{{ steps.b.output.x }}',
      maybe: '{{ steps.?b.?output.orValue(1) }}',
      later: '{{ steps.c.output }}',
      any: '{{ steps.map(s, s) }}',
    }),
    set('b'),
    set('c', { fine: '{{ steps.a.output.x + steps.hook.output.y }}' }),
  ]
  expect(short(of(nodes, [edge('hook', 'a'), edge('hook', 'b'), edge('a', 'c')]))).toEqual([
    'error /nodes/1/config/values/own: A step cannot use its own output (line 1, column 10)',
    'error /nodes/1/config/values/typo: There is no step "hok"; did you mean "hook"? (line 1, column 10)',
    'error /nodes/1/config/values/side: "b" does not come before "a", so its output may not be there; connect them (line 1, column 10)',
    'warning /nodes/1/config/values/maybe: "b" does not come before "a", so its output may not be there; connect them (line 1, column 11)',
    'error /nodes/1/config/values/later: "c" does not come before "a", so its output may not be there; connect them (line 1, column 10)',
  ])
})

test('retries, time-outs, error handling and settings out of range', () => {
  expect(withNode({ ...set('a'), retry: { max_attempts: 0, delay_ms: -1, backoff: 'random' }, timeout_ms: 0, on_error: 'ignore' })).toEqual(
    expect.arrayContaining([
      'error /nodes/1/retry/max_attempts: "max_attempts" must be at least 1',
      'error /nodes/1/retry/delay_ms: "delay_ms" must be at least 0',
      'error /nodes/1/retry/backoff: "backoff" must be one of "fixed", "exponential"',
      'error /nodes/1/timeout_ms: "timeout_ms" must be at least 1',
      'error /nodes/1/on_error: "on_error" must be one of "fail", "continue", "error"',
    ]),
  )
  expect(withNode({ id: 'a', type: 'flow.if', config: { condition: true }, on_error: 'continue' })).toEqual([
    'error /nodes/1/on_error: "continue" leaves through the port "out", which flow.if does not have; use "error"',
  ])
  expect(short(of([{ ...hook, timeout_ms: 5 }]))).toEqual([
    'error /nodes/0/timeout_ms: A trigger does no work, so "timeout_ms" means nothing here',
  ])
  expect(short(of([hook, set('a'), set('b')], [edge('hook', 'a'), edge('a', 'b', 'error')]))).toEqual([
    'warning /edges/1/port: Nothing leaves "a" through "error" unless its "on_error" is "error"',
  ])
  expect(short(of([hook], [], { settings: { timezone: 'Mars/Olympus', timeout_ms: 0, speed: 9 }, pins: { gone: 1 } }))).toEqual(
    expect.arrayContaining([
      'error /settings/timezone: "Mars/Olympus" is not a time zone; expected an IANA name, as "Europe/Vienna"',
      'error /settings/timeout_ms: "timeout_ms" must be at least 1',
      expect.stringContaining('error /settings/speed: "speed" is not known here'),
      'error /pins/gone: There is no node "gone" to pin the output of',
    ]),
  )
})

const timed = (definition: unknown) => {
  const started = performance.now()
  const problems = short(found(definition))
  return { problems, ms: performance.now() - started }
}

const chain = (count: number, values: (index: number) => unknown) => ({
  nodes: [hook, ...Array.from({ length: count }, (_, index) => set(`n${index}`, values(index)))],
  edges: Array.from({ length: count }, (_, index) => edge(index === 0 ? 'hook' : `n${index - 1}`, `n${index}`)),
})

test('ten thousand nodes that mention each other are checked in seconds', () => {
  const { problems, ms } = timed(
    chain(9_999, (index) => (index === 0 ? {} : { a: `{{ trigger.n + ${index} }}`, b: `{{ steps.n${index - 1}.output.a }}` })),
  )
  expect(problems).toEqual([])
  expect(ms).toBeLessThan(5000)
})

const named = (prefix: string, index: number): string => `${prefix}_with_a_long_name_${index}`
const likeEachOther = Array.from({ length: 9_000 }, (_, index) => set(named('node', index), {}))

test.each([
  [
    'edges to names that resemble thousands of others',
    {
      nodes: [hook, ...likeEachOther],
      edges: Array.from({ length: 20_000 }, (_, index) => edge(named('nide', index), named('nude', index))),
    },
    /There is no node "nide_with_a_long_name_0"; did you mean/,
  ],
  [
    'expressions with such names',
    {
      nodes: [
        hook,
        ...likeEachOther.map((node, index) => ({ ...node, config: { values: { a: `{{ steps.${named('nide', index)}.output }}` } } })),
      ],
      edges: likeEachOther.map(({ id }) => edge('hook', id)),
    },
    /There is no step "nide_with_a_long_name_0"; did you mean/,
  ],
  [
    'thousands of circles',
    {
      nodes: [hook, ...likeEachOther],
      edges: likeEachOther.map(({ id }, index) => edge(id, named('node', index % 2 === 0 ? index + 1 : index - 1))),
    },
    /The nodes go round in a circle/,
  ],
])('%s are refused soon', (_, definition, message) => {
  const { problems, ms } = timed(definition)
  expect(problems.join('\n')).toMatch(message)
  expect(problems).toHaveLength(201)
  // The first of these took half an hour when every mistake was described, listed or not.
  expect(ms).toBeLessThan(3_000)
})

const nest = (levels: number): unknown => {
  let value: unknown = 1
  for (let level = 0; level < levels; level += 1) value = level % 2 === 0 ? { in: value } : [value]
  return value
}

test.each([
  ['more nodes than allowed', chain(10_000, () => ({})), /10001 nodes; 10000 are allowed|larger than 2 MiB/],
  ['more edges than allowed', { nodes: [hook], edges: Array.from({ length: 50_001 }, () => ({})) }, /50001 edges; 50000 are allowed/],
  ['too large', { nodes: [hook, set('a', { text: 'x'.repeat(3_000_000) })], edges: [] }, /larger than 2 MiB/],
  ['a million of nothing', { nodes: Array(1_000_000).fill(null), edges: [] }, /larger than 2 MiB/],
  ['nested a hundred thousand deep', { nodes: [hook, set('a', nest(100_000))], edges: [] }, /nested more than/],
  ['a config nested seventy deep', { nodes: [hook, set('a', { v: nest(70) })], edges: [edge('hook', 'a')] }, /nested more than 64/],
  [
    'an expression of a megabyte',
    { nodes: [hook, set('a', { v: `{{ ${'!'.repeat(1_000_000)}a }}` })], edges: [edge('hook', 'a')] },
    /1000003 characters; 10000 are allowed/,
  ],
  ['half a million open braces', { nodes: [hook, set('a', { v: '{{'.repeat(500_000) })], edges: [edge('hook', 'a')] }, /not closed/],
  [
    'a hundred thousand expressions',
    chain(500, (index) => Array.from({ length: 200 }, (_, place) => `{{${index}+${place}}}`)),
    /more than 50000 expressions|must be an object/,
  ],
  ['mistakes without end', { nodes: Array.from({ length: 9_000 }, () => ({ id: '?', nope: 1 })), edges: [] }, /more problems than the 200/],
  [
    'keys that are JavaScript’s',
    JSON.parse(
      '{"nodes":[{"id":"a","type":"data.set","config":{"__proto__":{"values":{}},"values":{"__proto__":1}}}],"edges":[{"__proto__":1}],"__proto__":1}',
    ),
    /cannot be the name of a field/,
  ],
])('%s: answered soon, and not by falling over', (_, definition, expected) => {
  const { problems, ms } = timed(definition)
  expect(problems.join('\n')).toMatch(expected)
  expect(ms).toBeLessThan(5000)
})

/** Pieces that look like parts of a definition, in any combination. */
const part: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  any: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom<unknown>(
      null,
      true,
      0,
      -1,
      1e21,
      '',
      'hook',
      'a',
      'out',
      'error',
      'data.set',
      'flow.if',
      'http.request',
      '{{ trigger.a }}',
      '{{ steps.a.output }}',
      '{{',
      '\u0000',
      '\ud800',
      [],
      {},
    ),
    fc.dictionary(
      fc.constantFrom(
        'id',
        'type',
        'config',
        'values',
        'condition',
        'retry',
        'max_attempts',
        'retry_if',
        'on_error',
        'from',
        'to',
        'port',
        'nodes',
        'edges',
        'settings',
        'pins',
        'tests',
        '__proto__',
        'constructor',
      ),
      tie('any'),
    ),
    fc.array(tie('any'), { maxLength: 4 }),
  ),
})).any

test('any value is answered, and what has no errors compiles', () => {
  let sound = 0
  const definition = fc.oneof(
    part,
    fc.record({
      nodes: fc.array(
        fc.oneof(part, fc.record({ id: fc.constantFrom('hook', 'a', 'b'), type: fc.constantFrom(...nodeTypes.keys()), config: part })),
      ),
      edges: fc.array(part),
    }),
    fc.record({
      nodes: fc.tuple(
        fc.constant(hook),
        fc.record({
          id: fc.constant('a'),
          type: fc.constant('data.set'),
          config: fc.record({ values: fc.dictionary(fc.string(), fc.oneof(part, fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<unknown>)) }),
        }),
        fc.record({ id: fc.constant('b'), type: fc.constant('http.respond'), config: fc.record({ body: fc.oneof(part, fc.string()) }) }),
      ),
      edges: fc.constant([edge('hook', 'a'), edge('a', 'b')]),
    }),
  )
  fc.assert(
    fc.property(definition, (value) => {
      const problems = found(value)
      for (const { path, message } of problems)
        expect(
          [path, message].every((text) => typeof text === 'string'),
          JSON.stringify(problems),
        ).toBe(true)
      if (problems.some(({ severity }) => severity === 'error')) return
      sound += 1
      expect(compileVersion(value as Definition, nodeTypes).nodes).toHaveLength((value as Definition).nodes.length)
    }),
    { numRuns: 1500 },
  )
  expect(sound).toBeGreaterThan(100)
})

test('the published schema takes what the check takes, expressions included, and refuses what it refuses', () => {
  const schema = definitionSchema(nodeTypes)
  expect(JSON.stringify(schema)).not.toMatch(/"format":"(expression|literal)"/)
  const validator = Compile(schema as never)
  const valid = (node: object) => validator.Check({ nodes: [hook, node], edges: [edge('hook', 'a')] })
  expect(valid({ id: 'a', type: 'http.request', config: { method: 'GET', url: 'https://a.example', timeout_ms: '{{ trigger.t }}' } })).toBe(
    true,
  )
  expect(valid({ id: 'a', type: 'flow.if', config: { condition: 'trigger.n > 1' } })).toBe(true)
  expect(valid({ id: 'a', type: 'http.request', config: { method: 'GET', url: 'https://a.example', timeout_ms: 'soon' } })).toBe(false)
  expect(valid({ id: 'a', type: 'http.request' })).toBe(false)
  expect(valid({ id: 'a', type: 'no.such' })).toBe(false)
  expect(valid({ id: 'a', type: 'flow.merge', config: { mode: '{{ trigger.mode }}' } })).toBe(false)
})
