import { Fault } from './value.ts'

export type Piece =
  | { readonly kind: 'text'; readonly text: string }
  /** What stands between the braces, and where it starts in the whole. */
  | { readonly kind: 'expression'; readonly text: string; readonly offset: number }

/** Expressions in one text. */
const most_pieces = 1_000

const quotes = ['"""', "'''", '"', "'"] as const

/** Past a quoted text that starts here; null when none starts here. */
const afterQuoted = (text: string, start: number): number | null => {
  const quote = quotes.find((each) => text.startsWith(each, start))
  if (quote === undefined) return null
  for (let index = start + quote.length; index < text.length; index += 1) {
    // The parser skips what follows a backslash in raw texts, too.
    if (text[index] === '\\') index += 1
    else if (text.startsWith(quote, index)) return index + quote.length
  }
  return text.length
}

/** Where the `}}` is that closes an expression starting here: not one within a text or of an object. */
const closing = (text: string, start: number): number => {
  let open = 0
  for (let index = start; index < text.length;) {
    const after = afterQuoted(text, index)
    if (after !== null) {
      index = after
      continue
    }
    if (text[index] === '{') open += 1
    else if (text[index] === '}') {
      if (open === 0 && text[index + 1] === '}') return index
      open -= 1
    }
    index += 1
  }
  return -1
}

/**
 * Takes `Hello {{ trigger.body.name }}` apart. Throws a `Fault` for a `{{` that nothing closes. Braces that are meant as such are
 * written as an expression: `{{ "{{" }}`.
 */
export const piecesOf = (text: string): readonly Piece[] => {
  const pieces: Piece[] = []
  let done = 0
  for (let start = text.indexOf('{{'); start !== -1; start = text.indexOf('{{', done)) {
    if (start > done) pieces.push({ kind: 'text', text: text.slice(done, start) })
    const end = closing(text, start + 2)
    if (end === -1) throw new Fault('expression.syntax', '"{{" is not closed by "}}"', start)
    pieces.push({ kind: 'expression', text: text.slice(start + 2, end), offset: start + 2 })
    if (pieces.length > most_pieces) throw new Fault('expression.limit', `A text may hold ${most_pieces} pieces`, start)
    done = end + 2
  }
  if (done < text.length) pieces.push({ kind: 'text', text: text.slice(done) })
  return pieces
}
