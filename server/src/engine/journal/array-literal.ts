/**
 * PostgreSQL array literals (documentation, 8.15.6), written as one string per column and cast by the statement
 * (`$3::text::uuid[]`). The driver's own array parameters cost 13 µs of CPU per journalled execution, these 8.
 */

/** For values that hold no quote, comma, brace, blank or backslash and are never empty: ids, numbers, words, ISO times. */
export const plainArray = <Row>(rows: readonly Row[], value: (row: Row) => string | number | boolean): string => {
  let literal = '{'
  for (let index = 0; index < rows.length; index++) literal += (index === 0 ? '' : ',') + String(value(rows[index] as Row))
  return `${literal}}`
}

/**
 * For JSON texts; null becomes NULL. A JSON text holds no control characters, so writing it as a JSON string escapes just what an array's
 * element needs escaped, quotes and backslashes; that takes a quarter of the time that replacing them does.
 */
export const jsonArray = <Row>(rows: readonly Row[], value: (row: Row) => string | null): string => {
  let literal = '{'
  for (let index = 0; index < rows.length; index++) {
    const text = value(rows[index] as Row)
    literal += (index === 0 ? '' : ',') + (text === null ? 'NULL' : JSON.stringify(text))
  }
  return `${literal}}`
}
