/** Array literals of PostgreSQL: https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO */

/** `{1,NULL,{"a b"}}` as nested arrays, each element through `parse`. */
export const parseArray = (text: string, parse: (element: string) => unknown): unknown[] => {
  // Bounds other than 1 are written in front: `[0:2]={…}`.
  let at = text.charCodeAt(0) === 91 ? text.indexOf('=') + 1 : 0

  const quoted = (): string => {
    let element = ''
    for (at++; text[at] !== '"'; at++) {
      if (text[at] === '\\') at++
      element += text[at]
    }
    at++
    return element
  }

  const bare = (): string => {
    const start = at
    while (text[at] !== ',' && text[at] !== '}') at++
    return text.slice(start, at)
  }

  const list = (): unknown[] => {
    const elements: unknown[] = []
    at++
    while (text[at] !== '}') {
      if (at >= text.length) throw new SyntaxError('An array from the database ends too early.')
      if (text[at] === '{') elements.push(list())
      else if (text[at] === '"') elements.push(parse(quoted()))
      else {
        const element = bare()
        elements.push(element === 'NULL' ? null : parse(element))
      }
      if (text[at] === ',') at++
    }
    at++
    return elements
  }

  return list()
}

/** The literal of nested arrays, each element through `write`. Every element is quoted: then nothing in it has a meaning. */
export const writeArray = (elements: readonly unknown[], write: (element: unknown) => string): string => {
  const parts = elements.map((element) => {
    if (element === null) return 'NULL'
    if (Array.isArray(element)) return writeArray(element, write)
    return `"${write(element).replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
  })
  return `{${parts.join(',')}}`
}
