import { Environment, type ASTNode } from '@marcbachmann/cel-js'
import { Fault, limits } from './value.ts'

/** A node of a CEL syntax tree; `op` says what `args` are. */
export type Syntax = ASTNode

export type Parse = (text: string) => Syntax

const isLibraryError = (error: unknown): error is Error & { summary: string; range?: { start: number } } =>
  error instanceof Error && typeof (error as { summary?: unknown }).summary === 'string'

/** The parser names its tokens; a person knows them by how they look. */
const looks: { readonly [token: string]: string } = {
  EOF: 'the end of the expression',
  NUMBER: 'a number',
  STRING: 'a text',
  BYTES: 'bytes',
  BOOLEAN: 'true or false',
  NULL: 'null',
  IDENTIFIER: 'a name',
  LPAREN: '"("',
  RPAREN: '")"',
  LBRACKET: '"["',
  RBRACKET: '"]"',
  LBRACE: '"{"',
  RBRACE: '"}"',
  DOT: '"."',
  COMMA: '","',
  COLON: '":"',
  QUESTION: '"?"',
  EQ: '"=="',
  NE: '"!="',
  LT: '"<"',
  LE: '"<="',
  GT: '">"',
  GE: '">="',
  AND: '"&&"',
  OR: '"||"',
  NOT: '"!"',
  IN: '"in"',
  PLUS: '"+"',
  MINUS: '"-"',
  MULTIPLY: '"*"',
  DIVIDE: '"/"',
  MODULO: '"%"',
}

const readable = (summary: string): string =>
  summary.replaceAll(/\b[A-Z]{2,}\b/g, (token) => looks[token] ?? token).replace(/^Unexpected token: /, 'Did not expect ')

/**
 * A parser of CEL (https://github.com/google/cel-spec, grammar in doc/langdef.md). Only the grammar of the library is used: the tree is
 * compiled by `compile.ts`, which bounds the work of an evaluation and knows one kind of number.
 *
 * Make one per definition and let it go: the library remembers every function name that it has ever met.
 */
export const celParser = (): Parse => {
  const environment = new Environment({
    unlistedVariablesAreDyn: true,
    enableOptionalTypes: true,
    limits: { maxAstNodes: limits.nodes, maxDepth: limits.depth },
  })
  // Gives this environment a memory of names of its own, apart from the library's global one.
  environment.registerFunction('millrace(): bool', () => true)
  return (text) => {
    if (text.length > limits.expression_chars)
      throw new Fault('expression.limit', `The expression has ${text.length} characters; ${limits.expression_chars} are allowed`, 0)
    if (text.trim() === '') throw new Fault('expression.syntax', 'The expression is empty', 0)
    try {
      return environment.parse(text).ast
    } catch (error) {
      if (error instanceof RangeError) throw new Fault('expression.limit', 'The expression is nested too deeply', 0)
      if (!isLibraryError(error)) throw error
      const limited = error.summary.startsWith('Exceeded')
      const message = limited ? `The expression is too large or nested too deeply (${error.summary})` : readable(error.summary)
      throw new Fault(limited ? 'expression.limit' : 'expression.syntax', message, error.range?.start ?? 0)
    }
  }
}
