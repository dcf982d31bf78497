import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import type { Json } from '../../lib/json.ts'
import { expressionCompiler, newBudget } from './expression.ts'
import type { Scope } from './scope.ts'
import { Fault, limits } from './value.ts'

const deep = (levels: number): Json => {
  let value: Json = 'core'
  for (let level = 0; level < levels; level += 1) value = level % 2 === 0 ? [value] : { in: value }
  return value
}

const outputs = Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`step${index}`, index]))

const scopeOf = (trigger: Json): Scope => ({
  trigger,
  execution: {},
  workspace: {},
  vars: {},
  output: () => undefined,
  outputs: () => outputs,
})

/** The code of the error, and the milliseconds that it took. */
const attempt = (text: string, trigger: Json = {}): { readonly code: string; readonly ms: number } => {
  const started = performance.now()
  const code = (): string => {
    const compiled = expressionCompiler(new Set(['trigger', 'steps'])).template(text)
    if (!compiled.ok) return compiled.error.code
    try {
      compiled.expression.run(scopeOf(trigger), newBudget())
      return 'no error'
    } catch (error) {
      if (error instanceof Fault) return error.code
      throw error
    }
  }
  return { code: code(), ms: performance.now() - started }
}

const ten = '[1,2,3,4,5,6,7,8,9,10]'
const nested = (depth: number, body: string): string => (depth === 0 ? body : `${ten}.map(v${depth}, ${nested(depth - 1, body)})`)
const doubling = (times: number, start: string): string => {
  let text = `v${times}`
  for (let level = times; level > 0; level -= 1) text = `cel.bind(v${level}, v${level - 1} + v${level - 1}, ${text})`
  return `cel.bind(v0, ${start}, ${text})`
}
const large = Array.from({ length: 100_000 }, (_, index) => index)
const long = 'a'.repeat(1_000_000)

test.each([
  ['lists of lists of lists', `{{ ${nested(8, '1')} }}`, {}],
  ['a list that goes through itself', '{{ trigger.map(a, trigger.map(b, 1)) }}', large],
  ['a filter that compares everything with everything', '{{ trigger.filter(a, trigger.exists(b, b == a + 0.5)) }}', large],
  ['membership in a loop', '{{ trigger.map(a, -1 in trigger) }}', large],
  ['a text that doubles', `{{ ${doubling(40, '"0123456789"')} }}`, {}],
  ['a list that doubles', `{{ ${doubling(40, '[1]')} }}`, {}],
  ['an object that holds itself twice, over and over', `{{ ${doubling(40, '[1]').replaceAll(/(v\d+) \+ v\d+/g, '[$1, $1]')} }}`, {}],
  [
    'two such that are compared',
    `{{ ${doubling(30, '[1]').replaceAll(/(v\d+) \+ v\d+/g, '[$1, $1]')} == ${doubling(30, '[1.0]').replaceAll(/(v\d+) \+ v\d+/g, '[$1, $1]')} }}`,
    {},
  ],
  ['replacements that grow', '{{ trigger.replace("a", trigger).replace("a", trigger) }}', long],
  [
    'texts that are made over and over',
    '{{ [1,2,3,4,5,6,7,8,9,10].map(a, [1,2,3,4,5,6,7,8,9,10].map(b, trigger + string(a + b))) }}',
    long,
  ],
  ['padding', '{{ "a".padStart(1e12, "b") }}', {}],
  ['a range', '{{ range(1e9) }}', {}],
  ['ranges', '{{ range(100000).map(a, range(100000)) }}', {}],
  ['a repetition of repetitions', '{{ "a".matches("((a{100}){100}){100}") }}', {}],
  ['more pieces than a text may have', '{{1}}'.repeat(1001), {}],
  ['an expression that is too long', `{{ ${'1+'.repeat(6000)}1 }}`, {}],
  ['more operators than a tree may have', `{{ ${'1+'.repeat(1500)}1 }}`, {}],
  ['brackets', `{{ ${'['.repeat(4000)} }}`, {}],
  ['closed brackets', `{{ ${'('.repeat(4000)}1${')'.repeat(4000)} }}`, {}],
  ['negations', `{{ ${'!'.repeat(9000)}true }}`, {}],
  ['access, ever deeper', `{{ trigger${'.a'.repeat(4900)}[0] }}`, {}],
  ['a payload nested beyond what can be walked, within text', '{{ trigger }}!', deep(20_000)],
  ['such payloads compared', '{{ trigger == [trigger[0]] || json.encode(trigger) == "" }}', deep(20_000)],
])('%s: stopped soon', (_, text, trigger) => {
  const { code, ms } = attempt(text, trigger)
  expect(code).toMatch(/^expression\.(limit|argument|missing)$/)
  expect(code).not.toBe('no error')
  expect(ms).toBeLessThan(3000)
})

const twins = { a: `${long}x`, b: `${long}y` }
const fields = Object.fromEntries(Array.from({ length: 60_000 }, (_, index) => [`field_with_some_name_${index}`, 1]))
const address = `http://mill.example/?${Array.from({ length: 60_000 }, (_, index) => `k${index}=`).join('&')}`

test.each([
  ['long texts compared', 'range(90000).filter(i, trigger.a == trigger.b)', twins],
  ['long texts looked for in a list of them', 'range(90000).map(i, trigger.a).contains(trigger.b)', twins],
  ['long texts put in order', 'range(90000).filter(i, trigger.a < trigger.b)', twins],
  ['the greatest of long texts', 'range(50000).map(i, i % 2 == 0 ? trigger.a : trigger.b).max()', twins],
  ['long texts sorted', 'range(10000).map(i, i % 2 == 0 ? trigger.a : trigger.b).sort()', twins],
  ['long texts sorted by themselves', 'range(10000).sortBy(i, i % 2 == 0 ? trigger.a : trigger.b)', twins],
  ['fields that are missing, again and again', 'range(90000).exists(i, trigger.field_with_nome == 1)', fields],
  ['fields counted again and again', 'range(90000).filter(i, trigger.size() > 3)', fields],
  ['fields gone through again and again', 'range(90000).filter(i, trigger.exists(k, true))', fields],
  ['objects merged again and again', 'range(90000).filter(i, trigger.merge({}).size() > 0)', fields],
  ['values listed again and again', 'range(90000).filter(i, trigger.values().size() > 0)', fields],
  ['objects turned into text again and again', 'range(90000).filter(i, string(trigger) == "")', fields],
  ['picking among many by many', 'trigger.map.pick(trigger.list)', { map: fields, list: large.map((n) => `other_${n}`) }],
  ['leaving out many of many', 'trigger.map.omit(trigger.list)', { map: fields, list: large.map((n) => `other_${n}`) }],
  ['a URL with many parameters', 'url.parse(trigger)', address],
  ['all steps again and again', 'range(90000).filter(i, steps.size() > 1)', {}],
  ['time zones', 'range(90000).map(i, "2026-01-01T00:00:00Z".format("yyyy", "Europe/Vienna"))', {}],
])('%s: done or stopped before others notice', (_, text, trigger) => {
  // Some of these took minutes before they were charged for what they do; one takes under 0.1 s.
  expect(attempt(`{{ ${text} }}`, trigger).ms).toBeLessThan(1_000)
})

test('a regular expression takes time in proportion to its text, whatever it looks like', () => {
  for (const pattern of ['(a+)+$', '(a|a)*$', '(.*a){12}$', '^(([a-z])+.)+[A-Z]([a-z])+$']) {
    const { code, ms } = attempt(`{{ trigger.matches(r"${pattern}") }}`, `${'a'.repeat(5000)}!`)
    expect(code).toBe('no error')
    expect(ms).toBeLessThan(3000)
  }
  expect(attempt('{{ trigger.matches("(?=a)") }}', 'a').code).toBe('expression.argument')
})

test('honest work on a large payload is done', () => {
  expect(attempt('{{ trigger.filter(a, a % 2 == 0).map(a, a * 2).sum() }}', large).code).toBe('no error')
  expect(attempt('{{ size(trigger) }}', long).code).toBe('no error')
  expect(attempt('{{ trigger.split(",").size() }}', 'a,'.repeat(40_000)).code).toBe('no error')
})

test('the fields of one node share one budget', () => {
  const compiled = expressionCompiler(new Set(['trigger'])).template('{{ trigger.map(a, a) }}')
  const budget = newBudget()
  const run = () => compiled.ok && compiled.expression.run(scopeOf(large), budget)
  run()
  expect(budget.left).toBeLessThan(limits.work - 200_000)
  expect(() => [run(), run(), run(), run()]).toThrow(Fault)
})

test('no library that sees expressions can turn text into JavaScript', () => {
  const { resolve } = createRequire(import.meta.url)
  const sources = ['@marcbachmann/cel-js', 're2js'].flatMap((name) => {
    const folder = dirname(resolve(name))
    return readdirSync(folder).flatMap((file) => (/\.(js|mjs)$/.test(file) ? [readFileSync(join(folder, file), 'utf8')] : []))
  })
  expect(sources.join('').length).toBeGreaterThan(100_000)
  for (const source of sources) {
    expect(source).not.toMatch(
      /new\s+Function\s*\(|[^\w.]Function\s*\(\s*['"`]|(?<![\w.])eval\s*\(\s*(?!input)|node:vm|from\s+['"]vm['"]|import\(\s*(?!['"])/,
    )
  }
})
