import type { ExpressionCompiler } from '../../../../engine/expression/expression.ts'
import { isJsonObject, type Json } from '../../../../lib/json.ts'
import type { ExpressionReport } from '../schema.ts'
import { asText, type Cel, cel, literal, loose, quoted, Untranslatable } from './javascript/cel.ts'
import type { Names } from './javascript/names.ts'
import { type Piece, piecesOf, spend } from './javascript/pieces.ts'
import { translate } from './javascript/translate.ts'
import { chosen, isExpression } from './parameters.ts'

export interface Values {
  /** What is translated has to be an expression. */
  readonly compiler: ExpressionCompiler
  readonly node: string
  readonly names: Names
  readonly report: (line: ExpressionReport) => void
  readonly note: (text: string) => void
  /** Takes JavaScript that has no counterpart; gives CEL of what it will have given. `reason`: why. */
  readonly byCode: (code: string, reason: string) => { readonly text: string; readonly refuses: boolean }
}

type Read = { readonly cel: Cel; readonly outcome: ExpressionReport['outcome'] }

const read = (code: string, values: Values): Read => {
  try {
    const made = translate(code, values.names)
    spend(values.names.budget, made.cel.text.length)
    const compiled = values.compiler.expression(made.cel.text)
    if (!compiled.ok) throw new Untranslatable(compiled.error.message)
    for (const note of made.notes) values.note(note)
    return { cel: made.cel, outcome: made.notes.length > 0 ? 'changed' : 'translated' }
  } catch (error) {
    if (!(error instanceof Untranslatable)) throw error
    const { text, refuses } = values.byCode(code, error.message)
    return { cel: cel(text), outcome: refuses ? 'left_over' : 'changed' }
  }
}

const worst = (outcomes: readonly ExpressionReport['outcome'][]): ExpressionReport['outcome'] =>
  outcomes.includes('left_over') ? 'left_over' : outcomes.includes('changed') ? 'changed' : 'translated'

const escaped = (text: string): string => text.replaceAll('{{', '{{ "{{" }}')

const readPieces = (pieces: readonly Piece[], values: Values): readonly (string | Read)[] =>
  pieces.map((piece) => (piece.kind === 'text' ? piece.text : read(piece.text, values)))

const told = (original: string, path: string, translation: string, parts: readonly (string | Read)[], values: Values): void => {
  const outcomes = parts.flatMap((part) => (typeof part === 'string' ? [] : [part.outcome]))
  if (outcomes.length > 0) values.report({ node: values.node, path, original, translation, outcome: worst(outcomes) })
}

/** A parameter as it stands in a config: literals escaped, expressions as templates. */
export const asConfig = (given: Json | undefined, path: string, values: Values): Json => {
  const value = chosen(given)
  if (value === undefined) return null
  if (typeof value === 'string') {
    if (!isExpression(value)) return escaped(value)
    const parts = readPieces(piecesOf(value.slice(1), values.names.budget), values)
    const text = parts.map((part) => (typeof part === 'string' ? escaped(part) : `{{ ${part.cel.text} }}`)).join('')
    told(value, path, text, parts, values)
    return text
  }
  if (Array.isArray(value)) return (value as readonly Json[]).map((each, index) => asConfig(each, `${path}.${index}`, values))
  if (!isJsonObject(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, asConfig(each, `${path}.${key}`, values)]))
}

/** A parameter as CEL. */
export const asCel = (given: Json | undefined, path: string, values: Values): Cel => {
  const value = chosen(given)
  if (!isExpression(value)) {
    const kind = typeof value === 'string' ? 'string' : typeof value === 'number' ? 'number' : typeof value === 'boolean' ? 'bool' : null
    return cel(literal(value), kind)
  }
  const parts = readPieces(piecesOf(value.slice(1), values.names.budget), values)
  const [only] = parts
  if (parts.length === 0) return cel('""', 'string')
  const made =
    parts.length === 1 && only !== undefined && typeof only !== 'string'
      ? only.cel
      : loose(parts.map((part) => (typeof part === 'string' ? quoted(part) : asTextTight(part.cel))).join(' + '), 'string')
  told(value, path, made.text, parts, values)
  return made
}

const asTextTight = (value: Cel): string => (value.kind === 'string' && !value.tight ? `(${value.text})` : asText(value))
