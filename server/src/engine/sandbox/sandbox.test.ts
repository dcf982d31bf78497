import { monitorEventLoopDelay } from 'node:perf_hooks'
import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import type { Json } from '../../lib/json.ts'
import { type Caller, openPool, type Pool } from './pool.ts'
import type { FailureCode, Outcome, Program } from './program.ts'

const opened: Pool[] = []
const open = (options: { threads?: number; idle_ms?: number } = {}): Pool => {
  const pool = openPool({
    ...{ threads: 1, idle_ms: 60_000, ...options },
    onBreakdown: (error) => {
      throw error
    },
  })
  opened.push(pool)
  return pool
}
afterAll(() => Promise.all(opened.map((pool) => pool.close())))

const program = (source: string, more: Partial<Program> = {}): Program => ({
  source,
  input: 'null',
  context: null,
  now: Date.UTC(2026, 10, 20, 9, 50),
  seed: [0x12345678, 0x9abcdef0, 0x0fedcba9, 0x87654321],
  timeout_ms: 5_000,
  memory_mb: 32,
  max_chars: 1024 * 1024,
  ...more,
})
const by = (workspace_id: string, signal: AbortSignal | null = null): Caller => ({ workspace_id, signal })

const shared = open()
const ran = async (source: string, more: Partial<Program> = {}, pool = shared): Promise<Outcome> => {
  const outcome = await pool.run(program(source, more), by('a'))
  if (outcome.kind === 'busy' || outcome.kind === 'ended') throw new Error(outcome.kind)
  return outcome
}
const given = async (source: string, input: Json = null, more: Partial<Program> = {}): Promise<Json> => {
  const outcome = await ran(source, { input: JSON.stringify(input), ...more })
  if (outcome.kind !== 'done') throw new Error(JSON.stringify(outcome))
  return JSON.parse(outcome.json) as Json
}
const failing = async (source: string, more: Partial<Program> = {}) => {
  const outcome = await ran(source, more)
  if (outcome.kind !== 'failed') throw new Error(JSON.stringify(outcome).slice(0, 500))
  return outcome.failure
}

test('a function gets its input and gives its output, at once or by a promise', async () => {
  expect(await given('export default (input) => ({ ...input, b: input.a + 1 })', { a: 1 })).toEqual({ a: 1, b: 2 })
  expect(await given('export default async ({ a }) => { const b = await Promise.resolve(a); return [b] }', { a: 1 })).toEqual([1])
  expect(await given('const twice = (n) => n * 2\nexport default function (input) { return input.map(twice) }', [1, 2])).toEqual([2, 4])
  expect(await given('export default () => {}')).toBeNull()
  expect(await given('export default () => ({ at: new Date(), gone: undefined })')).toEqual({ at: '2026-11-20T09:50:00.000Z' })
})

test('the context comes to a function that has a parameter for it, and is asked for only then', async () => {
  const context = JSON.stringify({ steps: { a: { output: 7 } } })
  expect(await given('export default (input, { steps }) => steps.a.output', null, { context })).toBe(7)
  expect(await ran('export default (input, context) => context')).toEqual({ kind: 'wants_context' })
})

test('the time stands still and chance repeats itself, so that a repetition gives the same', async () => {
  const source =
    'const first = Math.random()\nexport default () => [Date.now(), new Date().getTimezoneOffset(), first, Math.random(), Math.random()]'
  const once = (await given(source)) as readonly number[]
  expect(once.slice(0, 2)).toEqual([Date.UTC(2026, 10, 20, 9, 50), 0])
  expect(await given(source)).toEqual(once)
  expect(new Set(once.slice(2)).size).toBe(3)
  const other = (await given(source, null, { seed: [1, 2, 3, 4] })) as readonly number[]
  expect(other.slice(2)).not.toEqual(once.slice(2))
  const spread = (await given('export default () => Array.from({ length: 10000 }, Math.random)')) as readonly number[]
  expect(spread.every((number) => number >= 0 && number < 1)).toBe(true)
  for (const tenth of Array(10).keys()) expect(spread.filter((number) => Math.floor(number * 10) === tenth).length).toBeGreaterThan(800)
})

test('whatever JSON goes in comes out equal', async () => {
  const json = fc.jsonValue({ maxDepth: 6, depthSize: 'large' })
  // JSON has one zero.
  const written = json.map((value) => JSON.parse(JSON.stringify(value)) as Json)
  await fc.assert(
    fc.asyncProperty(written, async (value) => {
      expect(await given('export default (input) => input', value)).toStrictEqual(value)
    }),
    { numRuns: 300 },
  )
  for (const text of [
    '{"__proto__":{"a":1},"constructor":null,"toJSON":1}',
    '"\\ud800 \\u0000 \\u2028"',
    '[1e308,5e-324,9007199254740993]',
  ]) {
    const outcome = await ran('export default (input) => input', { input: text })
    expect(outcome).toEqual({ kind: 'done', json: JSON.stringify(JSON.parse(text)) })
  }
})

test('a failure says what, where and what was written before', async () => {
  expect(
    await failing('export default (input) => {\n  console.log("got", { input }, [1])\n  return input.a.b\n}', { input: '{}' }),
  ).toEqual({
    code: 'code.failed',
    name: 'TypeError',
    message: "cannot read property 'b' of undefined",
    place: { line: 3, column: expect.any(Number) },
    logs: ['got {"input":{}} [1]'],
  })
  expect(await failing('export default () => {\n  return 1 +* 2\n}')).toMatchObject({
    code: 'code.failed',
    name: 'SyntaxError',
    place: { line: 2, column: 13 },
  })
  expect(await failing('throw new RangeError("at once")')).toMatchObject({ name: 'RangeError', message: 'at once', place: { line: 1 } })
  expect(await failing('export const a = 1')).toMatchObject({ message: expect.stringContaining('export default (input) =>') })
  expect(await failing('export default () => new Promise(() => {})')).toMatchObject({ message: expect.stringContaining('never kept') })
  expect(await failing('import fs from "fs"\nexport default () => fs')).toMatchObject({
    message: expect.stringContaining('nothing to import'),
  })
  const { logs } = await failing('export default () => { for (let i = 0; i < 1e4; i++) console.log("x".repeat(1e4)); throw 1 }')
  expect([logs.length, Math.max(...logs.map((line) => line.length))]).toEqual([50, 500])
})

test.each([
  ['BigInt', '[1n]'],
  ['NaN', '({ a: { b: NaN } })'],
  ['Infinity', '-Infinity'],
  ['function', '({ f() {} })'],
  ['symbol', '[Symbol()]'],
  ['Map', 'new Map([[1, 2]])'],
  ['Set', '({ a: new Set([1]) })'],
  ['holds itself', '(() => { const a = {}; a.a = a; return a })()'],
  ['levels deep', '(() => { let a = []; for (let i = 0; i < 300; i++) a = [a]; return a })()'],
])('an output that JSON cannot hold is told: %s', async (word, expression) => {
  const { code, message } = await failing(`export default () => ${expression}`)
  expect({ code, message }).toEqual({ code: 'code.output_invalid', message: expect.stringContaining(word) })
})

const never = 'while (true) {}'
/** Programs that mean harm, and what becomes of them. They get 16 MB. */
const hostile: readonly (readonly [string, readonly FailureCode[], string])[] = [
  ['a loop without end', ['code.timeout'], `export default () => { ${never} }`],
  ['a loop before anything is exported', ['code.timeout'], never],
  [
    'a loop that catches everything',
    ['code.timeout'],
    'export default () => { for (;;) try { for (;;) {} } catch {} finally { for (;;) {} } }',
  ],
  [
    'promises without end',
    ['code.timeout', 'code.memory'],
    'export default () => { const f = () => Promise.resolve().then(f); return f() }',
  ],
  ['microtasks without end', ['code.timeout', 'code.memory'], 'export default () => { const f = () => queueMicrotask(f); f() }'],
  ['a generator without end', ['code.timeout', 'code.memory'], 'export default () => [...(function* () { for (;;) yield })()].length'],
  ['a thenable without end', ['code.timeout', 'code.memory'], 'export default () => ({ then(ok) { ok(this) } })'],
  ['recursion', ['code.failed'], 'export default () => { const f = () => f() + 1; return f() }'],
  ['recursion through toString', ['code.failed'], 'export default () => { const o = { toString: () => `${o}` }; return `${o}` }'],
  [
    'recursion of proxies',
    ['code.failed', 'code.timeout', 'code.memory'],
    'export default () => { let p = {}; for (let i = 0; i < 1e6; i++) p = new Proxy(p, {}); return p.x }',
  ],
  ['brackets', ['code.failed'], '['.repeat(100_000)],
  ['functions in functions', ['code.failed'], '(() => '.repeat(20_000)],
  ['a source of 1 MB', ['code.failed', 'code.timeout', 'code.memory'], `export default () => [${'{},'.repeat(340_000)}].x.y`],
  ['backtracking', ['code.timeout'], 'export default () => /^(a+)+$/.test("a".repeat(50) + "!")'],
  ['backtracking of depth', ['code.timeout', 'code.failed', 'code.memory'], 'export default () => /(?:(a|b|.)*)*c/.test("ab".repeat(1e5))'],
  ['a text that doubles', ['code.failed', 'code.memory'], 'export default () => { let s = "x"; for (;;) s += s + 1 }'],
  ['one huge text', ['code.memory'], 'export default () => "x".repeat(2 ** 29).length'],
  ['a padded text', ['code.memory'], 'export default () => "x".padEnd(2 ** 28).split("").length'],
  ['a list that grows', ['code.memory', 'code.timeout'], 'export default () => { const a = []; for (;;) a.push(new Array(1000).fill(0)) }'],
  ['a list with a hole of four billion', ['code.timeout', 'code.memory'], 'export default () => new Array(2 ** 32 - 1).join("x").length'],
  ['a buffer', ['code.memory'], 'export default () => new ArrayBuffer(2 ** 30).byteLength'],
  ['a number that grows', ['code.failed', 'code.timeout', 'code.memory'], 'export default () => { let n = 3n; for (;;) n *= n }'],
  ['an output of 100 MB', ['code.memory'], 'export default () => "x".repeat(1e6).split("").map(() => "x".repeat(100))'],
  ['an output that is too large', ['code.output_too_large'], 'export default () => "x".repeat(2e6)'],
  [
    'an output of one text many times over',
    ['code.memory', 'code.output_too_large', 'code.timeout'],
    'export default () => { const s = "x".repeat(1e6); return Array(1e4).fill(s) }',
  ],
  ['a getter in the output that loops', ['code.timeout'], `export default () => ({ get a() { ${never} } })`],
  ['a getter in the output that throws', ['code.failed'], 'export default () => ({ get a() { throw new Error("a") } })'],
  ['a toJSON that loops', ['code.timeout'], `export default () => ({ toJSON() { ${never} } })`],
  [
    'a toJSON that makes more of it',
    ['code.failed', 'code.timeout', 'code.memory'],
    'export default () => ({ toJSON() { return { a: this, b: { toJSON: this.toJSON } } } })',
  ],
  [
    'a proxy in the output with keys without end',
    ['code.memory', 'code.timeout'],
    'export default () => new Proxy({}, { ownKeys: () => Array.from({ length: 1e7 }, (_, i) => `k${i}`) })',
  ],
  ['an error whose message loops', ['code.timeout'], `export default () => { throw { get message() { ${never} } } }`],
  ['an error whose stack throws', ['code.failed'], 'export default () => { throw { message: "m", get stack() { throw 1 } } }'],
  [
    'an error whose name is an object',
    ['code.failed', 'code.timeout'],
    'export default () => { throw { message: "m", name: { toString() { throw { message: "n" } } } } }',
  ],
  ['an error with a message of 8 MB', ['code.failed', 'code.memory'], 'export default () => { throw new Error("x".repeat(8e6)) }'],
  ['null as an error', ['code.failed'], 'export default () => { throw null }'],
  ['imports', ['code.failed'], 'export default () => import("node:fs")'],
  ['imports with a text as the whole program', ['code.failed'], 'export default () => import("data:text/javascript,export default 1")'],
  [
    'globals that are bent',
    ['code.failed'],
    'JSON.stringify = JSON.parse = Promise.prototype.then = Object.defineProperty = () => { throw new Error("bent") }\nexport default () => { throw new Error("mine") }',
  ],
  ['the constructor of everything', ['code.failed'], 'export default () => (() => {}).constructor.constructor("return process")()'],
  ['eval', ['code.failed'], 'export default () => eval("process.exit()")'],
  ['require', ['code.failed'], 'export default () => require("node:fs")'],
  [
    'a module that is a thenable',
    ['code.failed', 'code.timeout'],
    'export const then = (ok) => ok({ default: null })\nexport default () => 1',
  ],
  [
    'memory that is gone and caught',
    ['code.timeout', 'code.memory'],
    'export default () => { const a = []; for (;;) try { a.push("x".repeat(1e6) + a.length) } catch { a.length = 0 } }',
  ],
]

test(
  'programs that mean harm end by themselves, one clear failure each, and the server does not feel them',
  { timeout: 120_000 },
  async () => {
    const pool = open({ threads: 2 })
    // The first thread, and what it loads, is not what is measured.
    await ran('export default () => 1', {}, pool)
    const delay = monitorEventLoopDelay({ resolution: 5 })
    delay.enable()
    const ended = await Promise.all(
      hostile.map(async ([name, codes, source], index) => {
        // Who is to fail otherwise has the time to, however busy the machine is.
        const timeout_ms = codes.includes('code.timeout') ? 300 : 10_000
        const outcome = await pool.run(program(source, { timeout_ms, memory_mb: 16 }), by(String(index % 3)))
        const code = outcome.kind === 'failed' ? outcome.failure.code : JSON.stringify(outcome).slice(0, 200)
        if (outcome.kind === 'failed') expect(outcome.failure.message.length, name).toBeLessThan(1_001)
        return { name, code, fine: (codes as readonly string[]).includes(code) }
      }),
    )
    delay.disable()
    expect(ended.filter(({ fine }) => !fine)).toEqual([])
    // Between two samples lie 5 ms anyway.
    expect(delay.percentile(99) / 1e6).toBeLessThan(55)
    expect(pool.state().waiting).toBe(0)
    expect(pool.state().threads).toBeLessThanOrEqual(4)
    expect(await ran('export default () => "well"', {}, pool)).toEqual({ kind: 'done', json: '"well"' })
    await pool.close()
    expect(pool.state()).toEqual({ threads: 0, running: 0, waiting: 0 })
  },
)

test('a program finds nothing of the server, and no clock', async () => {
  const source = `export default () => ({
    names: Object.getOwnPropertyNames(globalThis),
    outside: ['process', 'require', 'fetch', 'setTimeout', 'WebAssembly', 'SharedArrayBuffer', 'Atomics', 'performance', 'Worker', 'Buffer', 'module', 'global',
      'std', 'os', 'print', 'scriptArgs', 'WeakRef', 'FinalizationRegistry', 'navigator', 'crypto', 'structuredClone'].filter((name) => name in globalThis),
    made: [Function('return typeof process')(), (0, eval)('typeof require'), (async () => {}).constructor('return 1').name],
    stays: (() => { const before = Date.now(); for (let i = 0; i < 1e5; i++); return Date.now() - before })(),
  })`
  const found = (await given(source)) as { readonly names: readonly string[] }
  expect(found).toMatchObject({ outside: [], made: ['undefined', 'undefined', 'anonymous'], stays: 0 })
  expect(found.names).toContain('console')
})

test('nothing of a program is left for the next one', async () => {
  const leave = `
    globalThis.left = 'secret'; Object.prototype.left = 'secret'; Array.prototype.map = () => 'secret'; JSON.parse = () => 'secret'
    Promise.prototype.then = () => {}; Date.now = () => 0; Math.random = () => 0; console.log = null; delete globalThis.Map
    export default (input) => { console?.log?.('x'); return input }`
  const look = `
    export default (input) => [typeof left, ({}).left ?? null, [1].map(String), JSON.parse('1'), Date.now() > 0, Math.random() > 0, typeof Map, typeof console.log, input]`
  for (const memory_mb of [32, 16]) {
    const pristine = await given(look, 1, { memory_mb })
    expect(pristine).toEqual(['undefined', null, ['1'], 1, true, true, 'function', 'function', 1])
    await ran(leave, { input: '1', memory_mb })
    expect(await given(look, 1, { memory_mb })).toEqual(pristine)
  }
})

test('a module keeps nothing from one run to the next', async () => {
  const source = 'let count = 0\nexport default () => (count += 1)'
  expect([await given(source), await given(source), await given(source)]).toEqual([1, 1, 1])
})

test('sources are parsed without being run, and mistakes have a place', async () => {
  const sources = ['export default (a) => a', 'export default (a) =>\n  a b', 'throw 1', never, '('.repeat(50_000)]
  expect(await shared.parse(sources, by('a'))).toEqual([
    null,
    { message: expect.any(String), place: { line: 2, column: expect.any(Number) } },
    null,
    null,
    { message: expect.any(String), place: null },
  ])
})

test('no thread is there before the first program, and none after a while without any', async () => {
  const pool = open({ idle_ms: 50 })
  expect(pool.state()).toEqual({ threads: 0, running: 0, waiting: 0 })
  await ran('export default () => 1', {}, pool)
  expect(pool.state()).toEqual({ threads: 1, running: 0, waiting: 0 })
  await expect.poll(() => pool.state().threads).toBe(0)
  expect(await ran('export default () => 2', {}, pool)).toEqual({ kind: 'done', json: '2' })
})

test('a workspace with long programs does not keep another one waiting', async () => {
  const pool = open({ threads: 1 })
  const over = new AbortController()
  const long = Array.from({ length: 50 }, () =>
    pool.run(program(`export default () => { ${never} }`, { timeout_ms: 60_000 }), by('long', over.signal)),
  )
  const short = await pool.run(program('export default () => 1'), by('short'))
  expect(short).toEqual({ kind: 'done', json: '1' })
  expect(pool.state()).toEqual({ threads: 2, running: 1, waiting: 49 })
  over.abort()
  expect(new Set((await Promise.all(long)).map(({ kind }) => kind))).toEqual(new Set(['ended']))
  expect(pool.state()).toEqual({ threads: 0, running: 0, waiting: 0 })
})

test('workspaces take turns, however many programs each of them has waiting', async () => {
  const pool = open({ threads: 1 })
  await ran('export default () => 1', {}, pool)
  const order: string[] = []
  const note = (workspace_id: string) => pool.run(program('export default () => 1'), by(workspace_id)).then(() => order.push(workspace_id))
  await Promise.all(['a', 'a', 'a', 'a', 'a', 'a', 'b', 'b'].map(note))
  expect(order.lastIndexOf('b')).toBeLessThan(5)
  expect(order).toHaveLength(8)
})

test('who finds a thousand of their own waiting, or as much as they may have waiting, is told to come again; others are not', async () => {
  const pool = open({ threads: 1 })
  const forever = program(`export default () => { ${never} }`, { timeout_ms: 60_000 })
  const runs = Array.from({ length: 1_001 }, () => pool.run(forever, by('a')))
  expect(await pool.run(forever, by('a'))).toEqual({ kind: 'busy' })
  const large = { ...forever, input: JSON.stringify('x'.repeat(9 * 1024 * 1024)) }
  runs.push(pool.run(large, by('b')))
  expect(await pool.run(large, by('b'))).toEqual({ kind: 'busy' })
  expect(pool.state()).toEqual({ threads: 1, running: 1, waiting: 1_001 })
  await pool.close()
  expect(new Set((await Promise.all(runs)).map(({ kind }) => kind))).toEqual(new Set(['ended']))
  expect(await pool.run(forever, by('a'))).toEqual({ kind: 'ended' })
})
