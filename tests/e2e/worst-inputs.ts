/** What somebody may hand to the workflow editor who means no good, or whose program has gone mad. */
export interface WorstInput {
  readonly what: string
  /** As an object, or as the text that is sent. */
  readonly definition: unknown
  /** Of the execution, where it comes to one. */
  readonly input?: unknown
  /** What comes of it: `refused` when it is sent (and the problem's code), `unpublishable` (and what the check says), or the execution's status (and its error's code). */
  readonly comes_to: readonly ['refused' | 'unpublishable' | 'succeeded' | 'failed', (string | RegExp)?]
  /** Of its execution, as JSON, where that shows that nothing has come of it. */
  readonly gives?: string
}

const manual = { id: 'start', type: 'trigger.manual' }
const set = (id: string, values: object = {}) => ({ id, type: 'data.set', config: { values } })
const edge = (from: string, to: string, port?: string) => ({ from, to, ...(port === undefined ? {} : { port }) })
const many = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index)
const chain = (ids: readonly string[]) => ids.map((id, index) => edge(index === 0 ? 'start' : (ids[index - 1] as string), id))
const one = (node: object) => ({ nodes: [manual, { id: 'it', ...node }], edges: [edge('start', 'it')] })
const value = (template: string) => one({ type: 'data.set', config: { values: { v: template } } })
const expression = (text: string) => value(`{{ ${text} }}`)
const source = (text: string, more: object = {}) =>
  one({ type: 'data.code', config: { source: text, timeout_ms: 500, memory_mb: 16, ...more } })

const ids = many(10_001).map((index) => `n${index}`)

/** As many edges as there may be, each from one half of the nodes to the other. */
const bipartite = (edges: number) => {
  const half = Math.ceil(Math.sqrt(edges))
  const left = many(half).map((index) => `l${index}`)
  const right = many(half).map((index) => `r${index}`)
  return {
    nodes: [manual, ...left.map((id) => set(id)), ...right.map((id) => ({ id, type: 'flow.merge' }))],
    edges: [...left.map((id) => edge('start', id)), ...left.flatMap((from) => right.map((to) => edge(from, to)))].slice(0, edges),
  }
}

const nestedBodies = (levels: number): object => {
  let body: { nodes: object[]; edges: object[] } = { nodes: [set('core', { v: '{{ item }}' })], edges: [] }
  for (let level = levels; level > 0; level -= 1)
    body = { nodes: [{ id: `loop${level}`, type: 'flow.loop', config: { items: [1, 2], body } }], edges: [] }
  return { nodes: [manual, ...body.nodes], edges: [edge('start', 'loop1')] }
}

const deep = (levels: number): unknown => {
  let inner: unknown = 1
  for (let level = 0; level < levels; level += 1) inner = { a: inner }
  return inner
}

export const graphs: readonly WorstInput[] = [
  {
    what: '10,000 nodes, one after the other, with an expression in each',
    definition: {
      nodes: [manual, ...ids.slice(0, 9_999).map((id, index) => set(id, { v: `{{ trigger.n + ${index} }}` }))],
      edges: chain(ids.slice(0, 9_999)),
    },
    input: { n: 1 },
    comes_to: ['succeeded'],
  },
  {
    what: '10,000 nodes, all beside each other',
    definition: {
      nodes: [manual, ...ids.slice(0, 9_999).map((id) => set(id, { v: '{{ trigger.n }}' }))],
      edges: ids.slice(0, 9_999).map((id) => edge('start', id)),
    },
    input: { n: 1 },
    comes_to: ['succeeded'],
  },
  { what: '10,001 nodes', definition: { nodes: ids.map((id) => set(id)), edges: [] }, comes_to: ['refused', 'http.validation_failed'] },
  { what: 'as many edges as there may be, between two halves', definition: bipartite(50_000), comes_to: ['succeeded'] },
  { what: 'an edge more', definition: bipartite(50_001), comes_to: ['refused', 'http.validation_failed'] },
  {
    what: 'a circle of 10,000',
    definition: {
      nodes: [manual, ...ids.slice(0, 9_999).map((id) => set(id))],
      edges: [...chain(ids.slice(0, 9_999)), edge('n9998', 'n0')],
    },
    comes_to: ['unpublishable', /circle|cycle/],
  },
  {
    what: '10,000 edges to nobody',
    definition: { nodes: [manual], edges: ids.slice(0, 10_000).map((id) => edge('start', id)) },
    comes_to: ['unpublishable', /no node/],
  },
  {
    what: '10,000 nodes of one name',
    definition: { nodes: many(10_000).map(() => set('same')), edges: [] },
    comes_to: ['unpublishable', /is taken/],
  },
  { what: 'loops in loops, as deep as may be', definition: nestedBodies(8), comes_to: ['succeeded'] },
  { what: 'loops in loops, deeper', definition: nestedBodies(9), comes_to: ['unpublishable', /at most 8 deep/] },
  { what: 'loops in loops, a thousand deep', definition: nestedBodies(1_000), comes_to: ['refused', /http\./] },
  {
    what: 'a config that is nested 10,000 levels deep',
    definition: `{"nodes":[{"id":"a","type":"data.set","config":{"values":${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}}}],"edges":[]}`,
    comes_to: ['refused', /http\./],
  },
  {
    what: 'a config that is nested 100 levels deep',
    definition: one({ type: 'data.set', config: { values: deep(100) } }),
    comes_to: ['refused'],
  },
  {
    what: 'a config of 5,000 fields with an expression each',
    definition: one({
      type: 'data.set',
      config: { values: Object.fromEntries(many(5_000).map((n) => [`f${n}`, `{{ trigger.n + ${n} }}`])) },
    }),
    input: { n: 1 },
    comes_to: ['succeeded'],
  },
  {
    what: 'a config of 40,000 fields with an expression each',
    definition: one({
      type: 'data.set',
      config: { values: Object.fromEntries(many(40_000).map((n) => [`f${n}`, `{{ trigger.n + ${n} }}`])) },
    }),
    comes_to: ['unpublishable', /at most 5000 expressions/],
  },
  {
    what: 'a config of two megabytes of text',
    definition: one({ type: 'data.set', config: { values: { v: 'x'.repeat(2_090_000) } } }),
    comes_to: ['succeeded'],
  },
  {
    what: 'a config of more than two megabytes',
    definition: one({ type: 'data.set', config: { values: { v: 'x'.repeat(2_200_000) } } }),
    comes_to: ['refused'],
  },
]

const mega = 1_000_000

export const expressions: readonly WorstInput[] = [
  { what: 'a megabyte of sums', definition: expression(`${'1+'.repeat(mega / 2)}1`), comes_to: ['unpublishable'] },
  { what: '100,000 operators', definition: expression(`${'true||'.repeat(100_000)}true`), comes_to: ['unpublishable'] },
  { what: '100,000 brackets', definition: expression(`${'('.repeat(100_000)}1${')'.repeat(100_000)}`), comes_to: ['unpublishable'] },
  {
    what: '100,000 lists in each other',
    definition: expression(`${'['.repeat(100_000)}${']'.repeat(100_000)}`),
    comes_to: ['unpublishable'],
  },
  {
    what: '100,000 objects in each other',
    definition: expression(`${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`),
    comes_to: ['unpublishable'],
  },
  {
    what: '100,000 choices in each other',
    definition: expression(`${'true?'.repeat(100_000)}1${':2'.repeat(100_000)}`),
    comes_to: ['unpublishable'],
  },
  { what: 'a megabyte of negations', definition: expression(`${'!'.repeat(mega)}true`), comes_to: ['unpublishable'] },
  { what: 'a megabyte of path', definition: expression(`trigger${'.a'.repeat(mega / 2)}`), comes_to: ['unpublishable'] },
  { what: 'a text of a megabyte without an end', definition: expression(`"${'a'.repeat(mega)}`), comes_to: ['unpublishable'] },
  { what: 'a megabyte of openings', definition: value('{{'.repeat(mega / 2)), comes_to: ['unpublishable'] },
  { what: 'a megabyte of openings and closings', definition: value('{{}}'.repeat(mega / 4)), comes_to: ['unpublishable'] },
  {
    what: 'a template of a megabyte with 50,000 pieces',
    definition: value('{{ trigger.a }}_____'.repeat(50_000)),
    comes_to: ['unpublishable'],
  },
  { what: 'a name of a megabyte', definition: expression('a'.repeat(mega)), comes_to: ['unpublishable'] },
  { what: 'a number of a megabyte', definition: expression('9'.repeat(mega)), comes_to: ['unpublishable'] },
  { what: 'a megabyte of spaces', definition: expression(`${' '.repeat(mega)}1`), comes_to: ['unpublishable'] },
  { what: 'a megabyte of quotes', definition: expression('"'.repeat(mega)), comes_to: ['unpublishable'] },
  { what: 'a megabyte of escapes', definition: expression(`"${'\\u0000'.repeat(150_000)}"`), comes_to: ['unpublishable'] },
  {
    what: 'half a condition of a megabyte',
    definition: one({ type: 'flow.if', config: { condition: `true ${'&& true '.repeat(100_000)}` } }),
    comes_to: ['unpublishable'],
  },
]

const ten = '[1,2,3,4,5,6,7,8,9,10]'
const nested = (macro: string, depth: number, body: string): string =>
  depth === 0 ? body : `${ten}.${macro}(v${depth}, ${nested(macro, depth - 1, body)})`
const doubling = (times: number, start: string): string => {
  let text = `v${times}`
  for (let level = times; level > 0; level -= 1) text = `cel.bind(v${level}, v${level - 1} + v${level - 1}, ${text})`
  return `cel.bind(v0, ${start}, ${text})`
}
const large = many(100_000)

export const programs_in_expressions: readonly WorstInput[] = [
  { what: 'maps of maps', definition: expression(nested('map', 8, '1')), comes_to: ['failed', 'expression.limit'] },
  { what: 'exists of exists', definition: expression(nested('exists', 8, 'false')), comes_to: ['failed', 'expression.limit'] },
  { what: 'all of all', definition: expression(nested('all', 8, 'true')), comes_to: ['failed', 'expression.limit'] },
  { what: 'a text that doubles', definition: expression(doubling(25, '"0123456789"')), comes_to: ['failed', 'expression.limit'] },
  { what: 'a list that doubles', definition: expression(doubling(25, '[1]')), comes_to: ['failed', 'expression.limit'] },
  {
    what: 'a regular expression of repetitions',
    definition: expression('"a".matches("((a{100}){100}){100}")'),
    comes_to: ['failed', /expression\./],
  },
  {
    what: 'a regular expression that backtracks',
    definition: expression(`"${'a'.repeat(5_000)}!".matches("(a+)+$")`),
    comes_to: ['succeeded'],
  },
  { what: 'a range of a thousand millions', definition: expression('range(1000000000)'), comes_to: ['failed', /expression\./] },
  { what: 'ranges of ranges', definition: expression('range(100000).map(a, range(100000))'), comes_to: ['failed', 'expression.limit'] },
  {
    what: 'a padding of a million millions',
    definition: expression('"a".padStart(1000000000000, "b")'),
    comes_to: ['failed', /expression\./],
  },
  {
    what: 'a list that goes through itself',
    definition: expression('trigger.map(a, trigger.map(b, 1))'),
    input: large,
    comes_to: ['failed', 'expression.limit'],
  },
  {
    what: 'a comparison of everything with everything',
    definition: expression('trigger.filter(a, trigger.exists(b, b == a + 0.5))'),
    input: large,
    comes_to: ['failed', 'expression.limit'],
  },
  {
    what: 'JSON that is decoded, however deep',
    definition: expression(`json.decode("[".padEnd(100000, "["))`),
    comes_to: ['failed', /expression\./],
  },
  {
    what: 'a hundred nodes, each at the end of what it may do',
    definition: {
      nodes: [manual, ...ids.slice(0, 100).map((id) => set(id, { v: '{{ range(90000).map(i, i * 2).filter(i, i > 5).size() }}' }))],
      edges: ids.slice(0, 100).map((id) => edge('start', id)),
    },
    comes_to: ['succeeded'],
  },
  {
    what: 'a megabyte of list that is sorted, mapped, filtered and gone over by nodes of their own',
    definition: {
      nodes: [
        manual,
        { id: 'sorted', type: 'data.sort', config: { items: '{{ trigger }}', by: [{ expression: '0 - item' }] } },
        { id: 'mapped', type: 'data.map', config: { items: '{{ steps.sorted.output }}', values: { n: '{{ item * 2 }}' } } },
      ],
      edges: [edge('start', 'sorted'), edge('sorted', 'mapped')],
    },
    input: large,
    comes_to: ['succeeded'],
  },
]

const program = (body: string): string => `export default (input) => { ${body} }`

export const programs: readonly WorstInput[] = [
  { what: 'a loop without an end', definition: source(program('while (true) {}')), comes_to: ['failed', 'code.timeout'] },
  {
    what: 'a list that grows',
    definition: source(program('const a = []; for (;;) a.push("x".repeat(1e5) + a.length)')),
    comes_to: ['failed', /code\.(memory|timeout)/],
  },
  {
    what: 'a giant buffer',
    definition: source(program('return new Uint8Array(2 ** 31).length')),
    comes_to: ['failed', /code\.(memory|failed)/],
  },
  { what: 'a giant text', definition: source(program('return "x".repeat(2 ** 30)')), comes_to: ['failed', /code\.(memory|failed)/] },
  {
    what: 'a giant sparse list',
    definition: source(program('const a = []; a.length = 2 ** 32 - 1; return a')),
    comes_to: ['failed', /code\./],
  },
  {
    what: 'a regular expression that backtracks',
    definition: source(program('return /^(a+)+$/.test("a".repeat(50) + "!")')),
    comes_to: ['failed', 'code.timeout'],
  },
  {
    what: 'a flood of promises',
    definition: source('export default async () => { for (;;) await null }'),
    comes_to: ['failed', 'code.timeout'],
  },
  {
    what: 'a flood of microtasks',
    definition: source(
      program('const f = () => { queueMicrotask?.(f); Promise.resolve().then(f).then(f) }; f(); return new Promise(() => {})'),
    ),
    comes_to: ['failed', /code\./],
  },
  { what: 'a promise that nobody keeps', definition: source('export default () => new Promise(() => {})'), comes_to: ['failed', /code\./] },
  {
    what: 'a return of more than may be',
    definition: source(program('return "x".repeat(5e6)')),
    comes_to: ['failed', /code\.(output_too_large|memory)/],
  },
  {
    what: 'a recursion without an end',
    definition: source(program('const f = () => f() + 1; return f()')),
    comes_to: ['failed', /code\./],
  },
  { what: 'a result that holds itself', definition: source(program('const a = {}; a.a = a; return a')), comes_to: ['failed', /code\./] },
  {
    what: 'a result nested 100,000 deep',
    definition: source(program('let a = 1; for (let i = 0; i < 1e5; i++) a = [a]; return a')),
    comes_to: ['failed', /code\./],
  },
  {
    what: 'a getter that never returns',
    definition: source(program('return { get a() { for (;;) {} } }')),
    comes_to: ['failed', 'code.timeout'],
  },
  {
    what: 'a getter that throws',
    definition: source(program('return { get a() { throw new Error("no") } }')),
    comes_to: ['failed', /code\./],
  },
  {
    what: 'a proxy that lies about its keys',
    definition: source(program('return new Proxy({}, { ownKeys: () => { for (;;) {} } })')),
    comes_to: ['failed', 'code.timeout'],
  },
  {
    what: 'a proxy of endless depth',
    definition: source(
      program(
        'const p = () => new Proxy({}, { ownKeys: () => ["a"], getOwnPropertyDescriptor: () => ({ value: 1, enumerable: true, configurable: true }), get: (_, k) => k === "toJSON" ? undefined : p() }); return p()',
      ),
    ),
    comes_to: ['failed', /code\./],
  },
  {
    what: 'a toJSON that never returns',
    definition: source(program('return { toJSON() { for (;;) {} } }')),
    comes_to: ['failed', 'code.timeout'],
  },
  {
    what: 'a toJSON that gives itself',
    definition: source(program('const a = { toJSON: () => ({ a }) }; return a')),
    comes_to: ['failed', /code\./],
  },
  {
    what: 'a toJSON that throws no error',
    definition: source(program('return { toJSON() { throw { get message() { for (;;) {} } } } }')),
    comes_to: ['failed', /code\./],
  },
  {
    what: 'a throw of what cannot be told',
    definition: source(program('throw new Proxy({}, { get() { throw 1 } })')),
    comes_to: ['failed', /code\./],
  },
  { what: 'a throw of ten megabytes', definition: source(program('throw new Error("x".repeat(5e6))')), comes_to: ['failed', /code\./] },
  {
    what: 'a way out by the constructor',
    definition: source(program('return [].constructor.constructor("return typeof process + typeof require + typeof fetch")()')),
    comes_to: ['succeeded'],
    gives: '"undefinedundefinedundefined"',
  },
  {
    what: 'prototypes that are set',
    definition: source(
      program('Object.prototype.polluted = 1; Array.prototype.map = null; JSON.stringify = () => "7"; return { clean: true }'),
    ),
    comes_to: ['succeeded'],
    gives: '{"clean":true}',
  },
  {
    what: 'a result under __proto__',
    definition: source(program('return JSON.parse(\'{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}\')')),
    comes_to: ['succeeded'],
  },
  {
    what: 'an import of what is there',
    definition: source('import fs from "node:fs"\nexport default () => fs.readFileSync("/etc/passwd", "utf8")'),
    comes_to: ['unpublishable'],
  },
  {
    what: 'an import while it runs',
    definition: source('export default async () => (await import("node:fs")).readFileSync("/etc/passwd", "utf8")'),
    comes_to: ['failed', /code\./],
  },
  {
    what: 'a wait that holds the thread',
    definition: source(program('return Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)')),
    comes_to: ['failed', /code\./],
  },
  {
    what: 'a source of 256 KB of brackets',
    definition: source(`export default () => ${'('.repeat(130_000)}1${')'.repeat(130_000)}`),
    comes_to: ['unpublishable'],
  },
  {
    what: 'a source of 256 KB of lists',
    definition: source(`export default () => ${'['.repeat(130_000)}${']'.repeat(130_000)}`),
    comes_to: ['unpublishable'],
  },
  {
    what: 'a source of 256 KB of functions',
    definition: source(`export default () => ${'()=>'.repeat(65_000)}1`),
    comes_to: ['unpublishable'],
  },
  {
    what: 'a source of more than may be',
    definition: source(`export default () => "${'x'.repeat(300_000)}"`),
    comes_to: ['unpublishable'],
  },
  { what: 'lone surrogates and NUL', definition: source(program('return "a\\0b\\ud800"')), comes_to: ['succeeded'] },
]

const prototypes = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'valueOf', '__defineGetter__']

export const names: readonly WorstInput[] = [
  ...prototypes.flatMap((name): WorstInput[] => [
    {
      what: `a node called ${name}`,
      definition: {
        nodes: [manual, set(name, { v: 1 }), set('after', { v: `{{ steps["${name}"].output.v }}` })],
        edges: [edge('start', name), edge(name, 'after')],
      },
      comes_to: name.startsWith('_') ? ['refused', 'http.validation_failed'] : ['unpublishable', /cannot be an id/],
    },
    {
      what: `a port called ${name}`,
      definition: { nodes: [manual, set('a'), set('b')], edges: [edge('start', 'a'), edge('a', 'b', name)] },
      comes_to: ['unpublishable', /port/],
    },
    {
      what: `a type called ${name}`,
      definition: one({ type: name }),
      comes_to: ['unpublishable', /no node type/],
    },
    {
      what: `a case called ${name}`,
      definition: {
        nodes: [manual, { id: 'it', type: 'flow.switch', config: { cases: [{ port: name, when: 'true' }] } }, set('after', { v: 1 })],
        edges: [edge('start', 'it'), edge('it', 'after', name)],
      },
      comes_to: name.startsWith('_') ? ['unpublishable'] : ['succeeded'],
    },
    {
      what: `a field called ${name}, written and read`,
      definition: `{"nodes":[{"id":"start","type":"trigger.manual"},{"id":"a","type":"data.set","config":{"values":{"${name}":{"polluted":1}}}},{"id":"b","type":"data.set","config":{"values":{"v":"{{ steps.a.output[\\"${name}\\"].polluted }}"}}}],"edges":[{"from":"start","to":"a"},{"from":"a","to":"b"}]}`,
      comes_to: name === '__proto__' ? ['refused', 'http.validation_failed'] : ['succeeded'],
    },
    {
      what: `${name} of a payload that has it not`,
      definition: expression(`trigger.${name}`),
      input: {},
      comes_to: name === '__proto__' ? ['unpublishable'] : ['failed', 'expression.missing'],
    },
  ]),
  {
    what: 'keys that come twice',
    definition:
      '{"nodes":[{"id":"start","type":"trigger.manual","id":"start"},{"id":"a","type":"data.set","config":{"values":{"v":1,"v":2}}}],"edges":[{"from":"start","to":"a"}]}',
    comes_to: ['succeeded'],
  },
  { what: 'lone surrogates in a text', definition: value('a\ud800b'), comes_to: ['refused', 'http.validation_failed'] },
  { what: 'NUL in a text', definition: value('a\0b'), comes_to: ['refused', 'http.validation_failed'] },
  { what: 'NUL in an expression', definition: expression('"a\0b"'), comes_to: ['refused', 'http.validation_failed'] },
  { what: 'lone surrogates as a name', definition: { nodes: [manual, set('\ud800')], edges: [] }, comes_to: ['refused'] },
]

export const worst_inputs: readonly WorstInput[] = [...graphs, ...expressions, ...programs_in_expressions, ...programs, ...names]
