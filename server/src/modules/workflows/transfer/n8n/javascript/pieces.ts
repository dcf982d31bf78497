import { Parser } from 'acorn'
import { Untranslatable } from './cel.ts'

/** A part of a text of n8n that begins with `=`. */
export type Piece = { readonly kind: 'text'; readonly text: string } | { readonly kind: 'code'; readonly text: string }

const most_pieces = 500

/** What reading may still cost, in characters: a file is a stranger's. */
export interface Budget {
  left: number
}

export const unlimited = (): Budget => ({ left: Infinity })

export const spend = (budget: Budget, chars: number): void => {
  budget.left -= chars
  if (budget.left < 0) throw new Untranslatable('There is more code in the file than is looked at')
}

/** Past a quoted text, template or comment of JavaScript that starts here; null when none does. */
const past = (text: string, at: number): number | null => {
  const quote = text[at]
  if (quote !== '"' && quote !== "'" && quote !== '`') return null
  for (let index = at + 1; index < text.length; index += 1) {
    if (text[index] === '\\') index += 1
    else if (text[index] === quote) return index + 1
    // A quote in a comment or a pattern: n8n does not look at those either.
    else if (text[index] === '\n' && quote !== '`') return null
  }
  return null
}

/** Where the `}}` is that ends the code from here on: the first one outside of quotes after which the code can be read. */
const ending = (text: string, from: number, budget: Budget): number => {
  let candidate = -1
  let tries = 0
  for (let index = from; index < text.length; index += 1) {
    const after = past(text, index)
    if (after !== null) {
      index = after - 1
      continue
    }
    if (text[index] !== '}' || text[index + 1] !== '}') continue
    if (candidate === -1) candidate = index
    tries += 1
    if (tries > 8 || budget.left <= 0) break
    if (reads(text.slice(from, index), budget)) return index
  }
  return candidate
}

/** Whether a text is an expression of JavaScript at all. */
export const reads = (code: string, budget: Budget): boolean => {
  try {
    parseExpression(code, budget)
    return true
  } catch (error) {
    if (error instanceof Untranslatable) return false
    throw error
  }
}

/** Takes `=Hello {{ $json.name }}` apart, without its `=`. What nothing closes is text, as it is for n8n. */
export const piecesOf = (text: string, budget: Budget): readonly Piece[] => {
  const pieces: Piece[] = []
  let done = 0
  for (let start = text.indexOf('{{'); start !== -1; start = text.indexOf('{{', done)) {
    const end = ending(text, start + 2, budget)
    if (end === -1 || pieces.length >= most_pieces) break
    if (start > done) pieces.push({ kind: 'text', text: text.slice(done, start) })
    pieces.push({ kind: 'code', text: text.slice(start + 2, end) })
    done = end + 2
  }
  if (done < text.length) pieces.push({ kind: 'text', text: text.slice(done) })
  return pieces
}

/** A node of a syntax tree as ESTree has it. */
export interface Tree {
  readonly type: string
  readonly start: number
  readonly end: number
  // The fields depend on the type; each use narrows what it takes.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly [field: string]: any
}

const most_chars = 20_000

const guarded = <T>(text: string, read: () => T): T => {
  if (text.length > most_chars) throw new Untranslatable(`It has more than ${most_chars} characters`)
  if (depthOf(text) > 200) throw new Untranslatable('It is nested too deeply')
  try {
    return read()
  } catch (error) {
    if (error instanceof SyntaxError) throw new Untranslatable(`This is no JavaScript: ${error.message}`)
    if (error instanceof RangeError) throw new Untranslatable('It is nested too deeply')
    throw error
  }
}

const depthOf = (text: string): number => {
  let depth = 0
  let most = 0
  for (const unit of text) {
    if (unit === '(' || unit === '[' || unit === '{') most = Math.max(most, ++depth)
    else if (unit === ')' || unit === ']' || unit === '}') depth -= 1
  }
  return most
}

/** One expression, and nothing after it but semicolons. */
export const parseExpression = (text: string, budget: Budget): Tree => {
  if (text.length <= most_chars) spend(budget, text.length)
  const code = text.trim().replace(/(?:;\s*)+$/, '')
  if (code === '') throw new Untranslatable('There is nothing in it')
  return guarded(code, () => {
    const tree = Parser.parse(`(${code}\n)`, { ecmaVersion: 2024 }) as unknown as Tree
    const [statement, ...more] = tree['body'] as readonly Tree[]
    if (more.length > 0 || statement?.type !== 'ExpressionStatement') throw new SyntaxError('more than one statement')
    return statement['expression'] as Tree
  })
}

/** The body of a function, as a code node has it. */
export const parseBody = (text: string): readonly Tree[] =>
  guarded(text.slice(0, most_chars), () => {
    const tree = Parser.parse(text, {
      ecmaVersion: 2024,
      allowReturnOutsideFunction: true,
      allowAwaitOutsideFunction: true,
    }) as unknown as Tree
    return tree['body'] as readonly Tree[]
  })
