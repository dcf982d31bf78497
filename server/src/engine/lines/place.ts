import { createHash } from 'node:crypto'
import type { Json } from '../../lib/json.ts'
import { type Expression, expressionCompiler, type ExpressionError, newBudget } from '../expression/expression.ts'
import { Fault } from '../expression/value.ts'
import { concurrencyOf, type LimitSettings } from '../graph/limits.ts'

/** Where an execution of a limited workflow stands. */
export interface Place {
  /** Those of one line share their slots: the key of the concurrency limit, or of the rate limit where there is no other. */
  readonly line: string
  /** Null where the workflow has no rate limit. */
  readonly rate_key: string | null
}

/** The limits of a version, as far as an execution of it must know them. */
export interface Limits {
  readonly placeOf: (trigger: Json) => Place
}

const roots = new Set(['trigger'] as const)
const kinds_of_keys: ReadonlySet<string | null> = new Set([null, 'string', 'number', 'bool', 'timestamp', 'optional'])

type CompiledKey = { readonly ok: true; readonly expression: Expression } | { readonly ok: false; readonly error: ExpressionError }

/** Compiles a key; a mistake has its place in the text. */
export const compileKey = (text: string): CompiledKey => {
  const compiled = expressionCompiler(roots).expression(text)
  if (!compiled.ok || kinds_of_keys.has(compiled.expression.kind)) return compiled
  const message = 'A key must give a text, a number, or true or false'
  return { ok: false, error: { code: 'expression.type', message, position: { offset: 0, line: 1, column: 1 } } }
}

/** How long a key is kept as it is. */
const longest_key = 200

/** Longer ones, and what the database cannot keep as text, are told apart by their digest. */
const keyText = (value: Json): string => {
  if (value === null) return ''
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  // oxlint-disable-next-line no-control-regex -- that is what is looked for
  if (text.length <= longest_key && !/[\u0000-\u001f\u007f]/.test(text) && text.isWellFormed()) return text
  return `sha256:${createHash('sha256').update(JSON.stringify(text)).digest('hex')}`
}

/** What an expression cannot be evaluated for has the key of those that have none: the execution is limited with them, and not lost. */
const reader = (text: string | undefined): ((trigger: Json) => string) => {
  if (text === undefined) return () => ''
  const compiled = compileKey(text)
  if (!compiled.ok) throw new Error(`A key does not compile: ${compiled.error.message}`)
  const { expression } = compiled
  return (trigger) => {
    try {
      const scope = { trigger, execution: null, workspace: null, vars: null, output: () => undefined, outputs: () => ({}) }
      return keyText(expression.run(scope, newBudget()))
    } catch (fault) {
      if (fault instanceof Fault) return ''
      throw fault
    }
  }
}

/** Null where nothing is limited. */
export const limitsOf = (settings: LimitSettings): Limits | null => {
  const concurrency = concurrencyOf(settings)
  const { rate_limit } = settings
  if (rate_limit === undefined) {
    if (concurrency === null) return null
    const line = reader(concurrency.key)
    return { placeOf: (trigger) => ({ line: line(trigger), rate_key: null }) }
  }
  const rate = reader(rate_limit.key)
  if (concurrency === null || concurrency.key === rate_limit.key) {
    return {
      placeOf: (trigger) => {
        const key = rate(trigger)
        return { line: key, rate_key: key }
      },
    }
  }
  const line = reader(concurrency.key)
  return { placeOf: (trigger) => ({ line: line(trigger), rate_key: rate(trigger) }) }
}
