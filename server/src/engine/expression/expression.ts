import type { Json } from '../../lib/json.ts'
import { compileProgram, type Program } from './compile.ts'
import { pathReader, plainPath } from './path.ts'
import type { Frame, Reference, Root, Scope } from './scope.ts'
import { celParser, type Parse } from './syntax.ts'
import { piecesOf } from './template.ts'
import { textOfValue } from './text.ts'
import { type Budget, checkedText, Fault, type FaultCode, type Kind, limits, spend, toJson } from './value.ts'

/** `line` and `column` count from 1, `offset` from 0, in UTF-16 units of the field's text. */
export interface Position {
  readonly offset: number
  readonly line: number
  readonly column: number
}

export interface ExpressionError {
  readonly code: FaultCode
  readonly message: string
  readonly position: Position
}

/** A text of a config, compiled. */
export interface Expression {
  /** Set when the text holds no expression: it is what it is. */
  readonly constant: boolean
  /** Known kind of the result; null: known only when it runs. */
  readonly kind: Kind | null
  readonly references: readonly (Reference & { readonly position: Position })[]
  /** The result as JSON. Throws a `Fault`, placed within the field's text. The budget is shared by all fields of a node. */
  readonly run: (scope: Scope, budget: Budget) => Json
}

export type Compiled = { readonly ok: true; readonly expression: Expression } | { readonly ok: false; readonly error: ExpressionError }

export interface ExpressionCompiler {
  /** A text in which each `{{ … }}` is an expression; alone, it keeps its type. */
  readonly template: (text: string) => Compiled
  /** A field that is an expression, with or without the braces. */
  readonly expression: (text: string) => Compiled
  /** For fields that are evaluated for each element of a list: they may name `item` and `index` besides. */
  readonly perItem: () => ExpressionCompiler
}

/** Expressions of one definition, plain paths not counted. */
const most_expressions = 50_000

const positionOf = (text: string, offset: number): Position => {
  const before = text.slice(0, Math.max(0, offset))
  const line_start = before.lastIndexOf('\n') + 1
  return { offset: before.length, line: before.split('\n').length, column: before.length - line_start + 1 }
}

export const newBudget = (): Budget => ({ left: limits.work })

/** What a fault tells the author of the field. */
export const errorOf = (fault: Fault, text: string): ExpressionError => ({
  code: fault.code,
  message: fault.message,
  position: positionOf(text, fault.offset),
})

const placed = (error: unknown, at: number, offset: number): Fault => {
  if (error instanceof RangeError) return new Fault('expression.limit', 'The expression or its data is nested too deeply', offset)
  if (!(error instanceof Fault)) throw error
  return new Fault(error.code, error.message + error.help(), offset + (error.offset === -1 ? at : error.offset))
}

interface Inner {
  readonly kind: Kind | null
  readonly references: readonly Reference[]
  readonly json: (scope: Scope, budget: Budget) => Json
  readonly text: (scope: Scope, budget: Budget) => string
}

/** Runs `finish` on the result of the program, within the budget; a fault is placed. */
const runProgram = <T>(
  program: Program,
  scope: Scope,
  budget: Budget,
  offset: number,
  finish: (value: ReturnType<Program['part']['run']>, frame: Frame) => T,
): T => {
  const frame: Frame = { scope, locals: [], at: 0, left: budget.left }
  try {
    return finish(program.part.run(frame), frame)
  } catch (error) {
    throw placed(error, frame.at, offset)
  } finally {
    budget.left = frame.left
  }
}

const compileInner = (text: string, offset: number, roots: ReadonlySet<Root>, parse: () => Parse): Inner => {
  const full = (by: Parse): Program => {
    try {
      return compileProgram(by(text), roots)
    } catch (error) {
      throw placed(error, 0, offset)
    }
  }
  const path = plainPath(text, roots)
  const reader = path && pathReader(path)
  if (path && reader) {
    const [step] = path.keys
    const references = path.root === 'steps' ? [{ step: step as string, offset: offset + path.offset + 6, optional: false }] : []
    // Something is missing: the full evaluation finds the words for it. Rare, so it is compiled only then.
    const explain = (scope: Scope, budget: Budget): Json => runProgram(full(celParser()), scope, budget, offset, toJson)
    const json = (scope: Scope, budget: Budget): Json => {
      const value = reader(scope)
      return value === undefined ? explain(scope, budget) : value
    }
    return { kind: null, references, json, text: (scope, budget) => textOfValue(json(scope, budget), budget) }
  }
  const program = full(parse())
  return {
    kind: program.part.kind,
    references: program.references.map((reference) => ({ ...reference, offset: offset + reference.offset })),
    json: (scope, budget) => runProgram(program, scope, budget, offset, toJson),
    text: (scope, budget) => runProgram(program, scope, budget, offset, textOfValue),
  }
}

const located = (references: readonly Reference[], text: string): Expression['references'] =>
  references.map((reference) => ({ ...reference, position: positionOf(text, reference.offset) }))

const constant = (text: string): Expression => ({ constant: true, kind: 'string', references: [], run: () => text })

const single = (inner: Inner, text: string): Expression => ({
  constant: false,
  kind: inner.kind,
  references: located(inner.references, text),
  run: inner.json,
})

const compileTemplate = (text: string, roots: ReadonlySet<Root>, parse: () => Parse): Expression => {
  const pieces = piecesOf(text)
  if (pieces.every((piece) => piece.kind === 'text')) return constant(text)
  const compiled = pieces.map((piece) => (piece.kind === 'text' ? piece.text : compileInner(piece.text, piece.offset, roots, parse)))
  const [only] = compiled
  if (compiled.length === 1 && typeof only === 'object') return single(only, text)
  const references = compiled.flatMap((piece) => (typeof piece === 'string' ? [] : piece.references))
  const run = (scope: Scope, budget: Budget): Json => {
    let result = ''
    for (const piece of compiled) result = checkedText(result + (typeof piece === 'string' ? piece : piece.text(scope, budget)))
    spend(budget, result.length >> 5)
    return result
  }
  return { constant: false, kind: 'string', references: located(references, text), run }
}

/** The one expression of a field, without the braces that may stand around it. */
const compileField = (text: string, roots: ReadonlySet<Root>, parse: () => Parse): Expression => {
  if (!/^\s*\{\{/.test(text)) return single(compileInner(text, 0, roots, parse), text)
  const pieces = piecesOf(text)
  const expressions = pieces.filter((piece) => piece.kind === 'expression')
  const [only] = expressions
  if (!only || expressions.length > 1 || pieces.some((piece) => piece.kind === 'text' && piece.text.trim() !== ''))
    throw new Fault('expression.syntax', 'This field takes one expression and no text around it', 0)
  return single(compileInner(only.text, only.offset, roots, parse), text)
}

/**
 * Compiles the expressions of one definition. The same text is compiled once. What they may name is given by `roots`, as `trigger`,
 * `steps`, `item`.
 */
export const expressionCompiler = (roots: ReadonlySet<Root>): ExpressionCompiler => {
  let parser: Parse | null = null
  let count = 0
  const parse = (): Parse => {
    count += 1
    if (count > most_expressions) throw new Fault('expression.limit', `There are more than ${most_expressions} expressions`)
    return (parser ??= celParser())
  }
  const remember = (compile: (text: string, roots: ReadonlySet<Root>, parse: () => Parse) => Expression): ((text: string) => Compiled) => {
    const known = new Map<string, Compiled>()
    return (text) => {
      const before = known.get(text)
      if (before) return before
      let made: Compiled
      try {
        made = { ok: true, expression: compile(text, roots, parse) }
      } catch (error) {
        made = { ok: false, error: errorOf(placed(error, 0, 0), text) }
      }
      known.set(text, made)
      return made
    }
  }
  let per_item: ExpressionCompiler | null = null
  return {
    template: remember(compileTemplate),
    expression: remember(compileField),
    perItem: () => (per_item ??= expressionCompiler(new Set([...roots, 'item', 'index']))),
  }
}
