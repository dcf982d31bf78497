import { Environment } from '@marcbachmann/cel-js'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Json } from '../../lib/json.ts'
import { expressionCompiler, newBudget } from './expression.ts'
import { Fault } from './value.ts'

/*
 * The library that parses our expressions can evaluate them, too. Where JSON's one kind of number makes no difference, that is without
 * division, both must give the same result, or both fail.
 */

const data = { a: 3, b: -2, name: 'Ada', empty: '', yes: true, no: false, list: [1, 2, 3, 5], none: [] as number[], words: ['a', 'bc', ''] }

const expressions = fc.letrec<{ int: string; bool: string; text: string; list: string }>((tie) => {
  const binary = (left: fc.Arbitrary<string>, operators: readonly string[], right: fc.Arbitrary<string>) =>
    fc.tuple(left, fc.constantFrom(...operators), right).map(([a, operator, b]) => `(${a} ${operator} ${b})`)
  const choice = (of: 'int' | 'bool' | 'text' | 'list') =>
    fc.tuple(tie('bool'), tie(of), tie(of)).map(([c, a, b]) => `(${c} ? ${a} : ${b})`)
  const [i, b, t, l] = [tie('int'), tie('bool'), tie('text'), tie('list')]
  const option = { depthSize: 'small', withCrossShrink: true } as const
  return {
    int: fc.oneof(
      option,
      fc.constantFrom('0', '1', '2', '7', 'x.a', 'x.b', 'x["a"]'),
      binary(i, ['+', '-', '*', '%'], i),
      i.map((a) => `(-${a})`),
      l.map((a) => `size(${a})`),
      t.map((a) => `${a}.size()`),
      fc.tuple(l, i).map(([a, at]) => `${a}[${at}]`),
      fc.constantFrom('x.?a.orValue(9)', 'x.?nothing.orValue(9)', 'x.nothing'),
      fc.tuple(i, i).map(([a, e]) => `cel.bind(v, ${a}, v + ${e})`),
      choice('int'),
    ),
    bool: fc.oneof(
      option,
      fc.constantFrom('true', 'false', 'x.yes', 'x.no', 'has(x.a)', 'has(x.nothing)'),
      binary(b, ['&&', '||'], b),
      binary(i, ['<', '<=', '>', '>=', '==', '!='], i),
      binary(t, ['<', '==', '!=', '>='], t),
      binary(l, ['==', '!='], l),
      binary(i, ['in'], l),
      b.map((a) => `(!${a})`),
      fc.tuple(t, fc.constantFrom('startsWith', 'endsWith', 'contains'), t).map(([a, name, e]) => `${a}.${name}(${e})`),
      fc.tuple(l, fc.constantFrom('all', 'exists', 'exists_one'), i).map(([a, name, e]) => `${a}.${name}(v, v > ${e})`),
      choice('bool'),
    ),
    text: fc.oneof(
      option,
      fc.constantFrom('""', '"b"', "'Ada'", 'x.name', 'x.empty', 'x.words[1]'),
      binary(t, ['+'], t),
      t.map((a) => `${a}.upperAscii().trim()`),
      i.map((a) => `string(${a})`),
      t.map((a) => `${a}.split("d").join("-")`),
      choice('text'),
    ),
    list: fc.oneof(
      option,
      // The library finds no operator for a literal `[]`.
      fc.constantFrom('[1, 2]', 'x.list', 'x.none'),
      fc.tuple(i, i).map(([a, e]) => `[${a}, ${e}]`),
      binary(l, ['+'], l),
      fc.tuple(l, i).map(([a, e]) => `${a}.map(v, v * ${e})`),
      fc.tuple(l, b).map(([a, e]) => `${a}.filter(v, v > 1 || ${e})`),
      fc.tuple(l, i).map(([a, e]) => `${a}.map(v, v > 1, v + ${e})`),
      choice('list'),
    ),
  }
})

const asLibrary = (value: Json): unknown => {
  if (typeof value === 'number') return BigInt(value)
  if (Array.isArray(value)) return value.map(asLibrary)
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, asLibrary(part)]))
  return value
}

const fromLibrary = (value: unknown): unknown =>
  typeof value === 'bigint' ? Number(value) : Array.isArray(value) ? value.map(fromLibrary) : value

const library = new Environment({
  enableOptionalTypes: true,
  homogeneousAggregateLiterals: false,
  limits: { maxDepth: 1000 },
}).registerVariable('x', 'dyn')

/** It knows types before it runs, and refuses some expressions for that alone; of those it says nothing. */
const byLibrary = (text: string): { value: unknown } | 'fails' | 'silent' => {
  if (!library.check(text).valid) return 'silent'
  try {
    return { value: fromLibrary(library.evaluate(text, { x: asLibrary(data) })) }
  } catch {
    return 'fails'
  }
}

const byUs = (text: string): { value: unknown } | 'fails' => {
  const renamed = text.replaceAll(/\bx(?=[.[])/g, 'trigger')
  const compiled = expressionCompiler(new Set(['trigger'])).expression(renamed)
  if (!compiled.ok) return 'fails'
  const scope = { trigger: data, execution: null, workspace: null, vars: null, output: () => undefined, outputs: () => ({}) }
  try {
    return { value: compiled.expression.run(scope, newBudget()) }
  } catch (error) {
    if (error instanceof Fault) return 'fails'
    throw error
  }
}

const plain = (result: { value: unknown } | 'fails'): string => JSON.stringify(result)

test('expressions mean what the library’s own evaluator says they mean', () => {
  let values = 0
  fc.assert(
    fc.property(fc.oneof(expressions.int, expressions.bool, expressions.text, expressions.list), (expression) => {
      const expected = byLibrary(expression)
      if (expected === 'silent') return
      if (expected !== 'fails') values += 1
      // Products can pass 2^53, where we stop and the library goes on to 2^63.
      if (JSON.stringify(expected).match(/\d{16}/)) return
      expect(plain(byUs(expression)), expression).toBe(plain(expected))
    }),
    { numRuns: 3000 },
  )
  expect(values).toBeGreaterThan(1500)
})
