import { expect, test } from 'vitest'
import type { Json } from '../../lib/json.ts'
import { errorOf, type ExpressionError, expressionCompiler, newBudget } from './expression.ts'
import type { Scope } from './scope.ts'
import { Fault } from './value.ts'

const trigger = {
  body: {
    n: 5,
    half: 2.5,
    name: 'Ann',
    ref: 'refs/heads/main',
    nothing: null,
    commits: [{ id: 'a' }, { id: 'b' }],
    'with-dash': 1,
    deep: { er: { est: true } },
  },
  headers: { 'x-signature': 'abc' },
}
const outputs: { readonly [id: string]: Json } = { fetch: { id: 7, body: { total: 12 } }, 'with-dash': 'dashed' }

const scope: Scope = {
  trigger,
  execution: { id: 'e1', started_at: '2026-03-29T00:30:00.000Z' },
  workspace: { id: 'w1' },
  vars: {},
  output: (id) => (Object.hasOwn(outputs, id) ? outputs[id] : undefined),
  outputs: () => outputs,
}

const compiler = () => expressionCompiler(new Set(['trigger', 'steps', 'execution', 'workspace', 'vars']))

const evaluate = (text: string, mode: 'template' | 'expression' = 'template'): Json => {
  const compiled = compiler()[mode](text)
  if (!compiled.ok) throw new Error(`does not compile: ${compiled.error.message}`)
  return compiled.expression.run(scope, newBudget())
}

/** What is wrong with a text, whether it shows when compiling or when running. */
const wrongWith = (text: string): ExpressionError & { readonly when: 'compiling' | 'running' } => {
  const compiled = compiler().template(text)
  if (!compiled.ok) return { ...compiled.error, when: 'compiling' }
  try {
    const value = compiled.expression.run(scope, newBudget())
    throw new Error(`gives ${JSON.stringify(value)}`)
  } catch (error) {
    if (error instanceof Fault) return { ...errorOf(error, text), when: 'running' }
    throw error
  }
}

test('a whole value keeps its type, within text it becomes text', () => {
  expect(evaluate('{{ steps.fetch.output.id }}')).toBe(7)
  expect(evaluate('{{ trigger.body.commits }}')).toBe(trigger.body.commits)
  expect(evaluate('{{ trigger.body.nothing }}')).toBeNull()
  expect(evaluate('Hello {{ trigger.body.name }}, {{ trigger.body.n }} {{ 1 < 2 }}[{{ trigger.body.nothing }}]')).toBe(
    'Hello Ann, 5 true[]',
  )
  expect(evaluate('{{ trigger.body.commits }} ')).toBe('[{"id":"a"},{"id":"b"}] ')
})

test('text without braces is what it is, and braces within quotes or objects do not end an expression', () => {
  expect(evaluate('trigger.body.name } }} {')).toBe('trigger.body.name } }} {')
  expect(evaluate('{{ "}}" + r"\\d" + "\\"}}" + \'{{\' }}!')).toBe('}}\\d"}}{{!')
  expect(evaluate('{{ {"a": {"b": 1}} }}')).toEqual({ a: { b: 1 } })
})

test('a field that is an expression takes it with or without braces', () => {
  expect(evaluate('trigger.body.n > 3', 'expression')).toBe(true)
  expect(evaluate(' {{ trigger.body.n > 3 }} ', 'expression')).toBe(true)
  expect(compiler().expression('a {{ true }}')).toMatchObject({ ok: false })
  expect(compiler().expression('{{ true }} && {{ true }}')).toMatchObject({
    ok: false,
    error: { message: expect.stringContaining('one expression') },
  })
})

test('there is one kind of number', () => {
  expect(evaluate('{{ trigger.body.n + 1 }}')).toBe(6)
  expect(evaluate('{{ size(trigger.body.commits) > 1.5 }}')).toBe(true)
  expect(evaluate('{{ 1 == 1.0 && 2u == 2 && trigger.body.half * 2 == trigger.body.n }}')).toBe(true)
  expect(evaluate('{{ trigger.body.commits[trigger.body.n - 4.0].id }}')).toBe('b')
  expect(evaluate('{{ [7 / 2, trigger.body.n / 2, 7 % 4, -7 % 4] }}')).toEqual([3.5, 2.5, 3, -3])
  expect(evaluate('{{ 0.1 + 0.2 == 0.3 }}')).toBe(false)
  expect(evaluate('{{ trigger.body.n in [1, 5] }}')).toBe(true)
})

test('a number that JSON cannot hold exactly is refused, and so is one that is none', () => {
  expect(wrongWith('{{ 9007199254740993 }}')).toMatchObject({ code: 'expression.number', message: expect.stringContaining('2^53') })
  expect(wrongWith('{{ 9007199254740991 + 1 }}')).toMatchObject({ code: 'expression.number', message: expect.stringContaining('2^53') })
  for (const text of ['{{ 1 / 0 }}', '{{ 0 / 0 }}', '{{ 5 % 0 }}', '{{ 1e308 * 10 }}', '{{ number("Infinity") }}', '{{ number("1e999") }}'])
    expect(wrongWith(text).code).toMatch(/^expression\.(number|argument)$/)
})

test('what may be missing is asked for with a question mark', () => {
  expect(evaluate('{{ trigger.body.?nope.orValue(0) }}')).toBe(0)
  expect(evaluate('{{ trigger.?nope.deeper.still.orValue("none") }}')).toBe('none')
  expect(evaluate('{{ trigger.body.?name.orValue("none") }}')).toBe('Ann')
  expect(evaluate('{{ trigger.body.commits[?5].orValue("none") }}')).toBe('none')
  expect(evaluate('{{ trigger.headers[?"x-signature"].hasValue() }}')).toBe(true)
  expect(evaluate('{{ trigger.body.?nope }}')).toBeNull()
  expect(evaluate('{{ has(trigger.body.name) && !has(trigger.body.nope.deeper) }}')).toBe(true)
  expect(evaluate('{{ steps.?absent.?output.orValue("skipped") }}')).toBe('skipped')
})

test('a missing field is named, with its place and what may have been meant', () => {
  expect(wrongWith('Dear {{ trigger.body.nmae }}')).toEqual({
    code: 'expression.missing',
    message: 'trigger.body has no field "nmae"; did you mean "name"?',
    position: { offset: 21, line: 1, column: 22 },
    when: 'running',
  })
  expect(wrongWith('{{ trigger.body.zzzzzz }}').message).toContain('.?zzzzzz.orValue(…)')
  expect(wrongWith('a\nb {{\n  trigger.body.commits[2].id }}')).toMatchObject({
    position: { line: 3, column: 24 },
    message: expect.stringContaining('2 elements'),
  })
  expect(wrongWith('{{ trigger.body.nothing.x }}').message).toBe('trigger.body.nothing is null, which has no field "x"')
  expect(wrongWith('{{ steps.absent.output.x }}').message).toContain('it has not run on this path')
  expect(wrongWith('{{ steps["absent"].output }}').message).toContain('"absent"')
})

test('steps are reached by any id, one at a time or all together', () => {
  expect(evaluate('{{ steps["with-dash"].output }}')).toBe('dashed')
  expect(evaluate('{{ steps.map(id, id).sort() }}')).toEqual(['fetch', 'with-dash'])
  const compiled = compiler().template(
    '{{ steps.fetch.output.id }} {{ has(steps.a.output) }} {{ steps.?b.orValue(1) }} {{ steps["c"].output }}',
  )
  expect(compiled.ok && compiled.expression.references.map(({ step, optional }) => [step, optional])).toEqual([
    ['fetch', false],
    ['a', true],
    ['b', true],
    ['c', false],
  ])
})

test('nothing but an object’s own data can be reached', () => {
  for (const path of [
    'constructor',
    'prototype',
    'toString',
    'hasOwnProperty',
    'body.constructor.constructor',
    'body.name.length',
    'body.commits.length',
  ]) {
    const { code, when } = wrongWith(`{{ trigger.${path} }}`)
    expect([code, when], path).toEqual(['expression.missing', 'running'])
  }
  expect(wrongWith('{{ trigger.__proto__ }}')).toMatchObject({ when: 'compiling' })
  expect(wrongWith('{{ trigger["__proto__"] }}')).toMatchObject({ when: 'compiling' })
  expect(wrongWith('{{ trigger["__pro" + "to__"] }}').code).toBe('expression.missing')
  expect(wrongWith('{{ {"__proto__": 1} }}').code).toBe('expression.argument')
  expect(evaluate('{{ trigger[?"__proto__"].hasValue() || "constructor" in trigger || has(trigger.body.toString) }}')).toBe(false)
  expect(wrongWith('{{ constructor }}').code).toBe('expression.unknown_name')
  expect(wrongWith('{{ constructor("return 1") }}').code).toBe('expression.unknown_name')
  expect(wrongWith('{{ trigger.toString() }}').code).toBe('expression.unknown_name')
  expect(wrongWith('{{ "a".constructor("b") }}').code).toBe('expression.unknown_name')
})

test('data with any key is read as data', () => {
  const odd = JSON.parse('{"__proto__": {"x": 1}, "constructor": "mine", "hasOwnProperty": 2}') as Json
  const compiled = compiler().template('{{ [trigger.constructor, trigger.hasOwnProperty, size(trigger), trigger == trigger.merge({})] }}')
  expect(compiled.ok && compiled.expression.run({ ...scope, trigger: odd }, newBudget())).toEqual(['mine', 2, 3, true])
})

test('a mistake that shows without data is found when compiling, at its place', () => {
  const at = (text: string) => {
    const { when, code, position } = wrongWith(text)
    return [when, code, position.offset]
  }
  expect(at('{{ 1 + }}')).toEqual(['compiling', 'expression.syntax', 7])
  expect(at('x {{ trigger.body')).toEqual(['compiling', 'expression.syntax', 2])
  expect(at('{{ }}')).toEqual(['compiling', 'expression.syntax', 2])
  expect(at('{{ trigger.body.n > "a" || 1 + "b" == 2 }}')).toEqual(['compiling', 'expression.type', 29])
  expect(at('{{ tigger.body }}')).toEqual(['compiling', 'expression.unknown_name', 3])
  expect(at('{{ trigger.body.name.uper() }}')).toEqual(['compiling', 'expression.unknown_name', 20])
  expect(at('{{ size() }}')).toEqual(['compiling', 'expression.argument', 3])
  expect(at('{{ size(5) }}')).toEqual(['compiling', 'expression.type', 3])
  expect(at('{{ 1 ? 2 : 3 }}')).toEqual(['compiling', 'expression.type', 3])
  expect(at('{{ true && "x" }}')).toEqual(['compiling', 'expression.type', 11])
  expect(at('{{ [1].map(1, 2) }}')).toEqual(['compiling', 'expression.syntax', 11])
  expect(at('{{ item }}')).toEqual(['compiling', 'expression.unknown_name', 3])
  expect(wrongWith('{{ item }}').message).toContain('inside a loop')
  expect(wrongWith('{{ now() }}').message).toContain('execution.started_at')
  expect(wrongWith('{{ b"bytes" }}').code).toBe('expression.type')
})

test('a mistake in the data is said in words, at the operator', () => {
  expect(wrongWith('{{ trigger.body.name + trigger.body.n }}')).toMatchObject({
    message: '"+" cannot be used between a text and a number; turn the other into text with `string(…)`',
    position: { offset: 21 },
  })
  expect(wrongWith('{{ trigger.body.commits > 2 }}').message).toContain('a list and a number')
  expect(wrongWith('{{ trigger.body.name && true }}').message).toContain('true or false')
  expect(wrongWith('{{ trigger.body.n.upper() }}').message).toBe('upper() takes a text as value 1, not a number')
})

test('an error on the side that does not decide does not matter', () => {
  expect(evaluate('{{ trigger.body.nope == 1 || true }}')).toBe(true)
  expect(evaluate('{{ trigger.body.nope == 1 && false }}')).toBe(false)
  expect(wrongWith('{{ trigger.body.nope == 1 || false }}').code).toBe('expression.missing')
  expect(evaluate('{{ [0, 1].exists(x, 1 / x == 1) }}')).toBe(true)
  expect(wrongWith('{{ [0, 2].exists(x, 1 / x == 1) }}').code).toBe('expression.number')
})

test('macros go through lists and the names of objects, and nest', () => {
  expect(evaluate('{{ trigger.body.commits.map(c, c.id).join(",") }}')).toBe('a,b')
  expect(evaluate('{{ [1, 2, 3].map(x, [10, 20].map(y, x * y)) }}')).toEqual([
    [10, 20],
    [20, 40],
    [30, 60],
  ])
  expect(evaluate('{{ {"b": 1, "a": 2}.filter(k, k > "a") }}')).toEqual(['b'])
  expect(evaluate('{{ [3, 1, 2].sortBy(x, -x) }}')).toEqual([3, 2, 1])
  expect(evaluate('{{ [1, 2].all(trigger, trigger > 0) }}')).toBe(true)
  expect(wrongWith('{{ [1, 2].filter(x, x) }}').message).toContain('gives a number')
})

test('the same data gives the same result, and the data stays as it was', () => {
  const before = JSON.stringify(trigger)
  const text = '{{ trigger.body.commits.map(c, c.merge({"n": 1})).reverse().sortBy(c, c.id) }}'
  expect(evaluate(text)).toEqual(evaluate(text))
  expect(JSON.stringify(trigger)).toBe(before)
})
