import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { evaluate as evaluatePlainly } from '@marcbachmann/cel-js'
import { expect, test } from 'vitest'
import { expressionCompiler, newBudget } from '../../server/src/engine/expression/expression.ts'
import type { Scope } from '../../server/src/engine/expression/scope.ts'
import type { Json } from '../../server/src/lib/json.ts'
import { blocksOf, root } from './page.ts'

const path = 'docs/how-to/write-expressions.md'
const text = readFileSync(join(root, path), 'utf8')
const payload = blocksOf(path).find(({ language }) => language === 'json')
const trigger = JSON.parse(payload?.text ?? '') as Json
const fetched = JSON.parse(/`fetch` with the output `(.+)`/.exec(text)?.[1] ?? '') as Json

const scope: Scope = {
  trigger,
  execution: {},
  workspace: {},
  vars: {},
  output: (id) => (id === 'fetch' ? fetched : undefined),
  outputs: () => ({ fetch: fetched }),
}
const compiler = expressionCompiler(new Set(['trigger', 'steps', 'execution', 'workspace', 'vars']))

/** The cells of the tables that have this head; what stands in backticks as it is, the rest as it reads. */
const rowsOf = (...head: readonly string[]): readonly (readonly string[])[] => {
  const tables = text.split(`| ${head.join(' | ')} |\n`).slice(1)
  const lines = tables.flatMap(
    (table) =>
      table
        .slice(table.indexOf('\n') + 1)
        .split('\n\n')[0]
        ?.split('\n') ?? [],
  )
  return lines.map((line) =>
    line
      .slice(2, -2)
      .split(' | ')
      .map((cell) => /^`(.*)`$/.exec(cell)?.[1] ?? cell),
  )
}

/** The value, or what is said instead of one. */
const evaluate = (expression: string): { readonly value: Json } | { readonly error: string } => {
  const compiled = compiler[/\{\{ /.test(expression) ? 'template' : 'expression'](expression)
  if (!compiled.ok) return { error: compiled.error.message }
  try {
    return { value: compiled.expression.run(scope, newBudget()) }
  } catch (error) {
    return { error: (error as Error).message }
  }
}

/** As plain CEL has it. Its whole numbers are `bigint`, which JSON does not know. */
const plainly = (expression: string): string => {
  try {
    const value: unknown = evaluatePlainly(expression, { trigger, steps: { fetch: { output: fetched } } })
    return typeof value === 'bigint' || typeof value === 'number' ? String(value) : JSON.stringify(value)
  } catch {
    return 'error'
  }
}

test('every expression of the page gives the result that stands beside it', () => {
  const rows = rowsOf('Expression', 'Result')
  expect(rows.length).toBeGreaterThan(35)
  for (const [expression = '', result = ''] of rows) expect(evaluate(expression), expression).toEqual({ value: JSON.parse(result) })
})

test('every mistake of the page is answered with the words that stand beside it', () => {
  const rows = rowsOf('Expression', 'Error')
  expect(rows.length).toBeGreaterThan(3)
  for (const [expression = '', error = ''] of rows) expect(evaluate(expression), expression).toEqual({ error })
})

test('numbers differ from plain CEL exactly as the page says', () => {
  const rows = rowsOf('Expression', 'Here', 'Plain CEL')
  expect(rows.length).toBeGreaterThan(8)
  for (const [expression = '', here = '', plain = ''] of rows) {
    const result = evaluate(expression)
    expect('error' in result ? 'error' : result.value, expression).toEqual(here === 'error' ? here : JSON.parse(here))
    expect(plainly(expression), expression).toBe(plain)
  }
})
