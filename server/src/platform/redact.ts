const sensitive = /(?:^|[_-])(?:authorization|cookie|password|passphrase|token|secret|(?:api|secret|private)[_-]?key)$/i

const deepest = 5

/**
 * The same value with each field whose name says that it holds a credential replaced by `[redacted]`, at any place in plain
 * objects and arrays down to five levels (below them objects are left out). What needs no replacement is not copied.
 */
export const redact = (value: unknown, depth = 0): unknown => {
  if (typeof value !== 'object' || value === null) return value
  const prototype: unknown = Object.getPrototypeOf(value)
  const isArray = Array.isArray(value)
  if (!isArray && prototype !== Object.prototype && prototype !== null) return isErrorShape(value) ? redactFields(value, depth) : value
  if (depth > deepest) return '[too deep]'
  return isArray ? redactItems(value, depth) : redactFields(value, depth)
}

/** What pino makes of an error is an object with a prototype of its own. */
const isErrorShape = (value: object): boolean => !(value instanceof Error) && 'stack' in value && 'message' in value

const redactItems = (items: readonly unknown[], depth: number): unknown => {
  const clean = items.map((item) => redact(item, depth + 1))
  return clean.some((item, index) => item !== items[index]) ? clean : items
}

const redactFields = (fields: object, depth: number): unknown => {
  let copy: { [name: string]: unknown } | null = null
  for (const name in fields) {
    const value = (fields as { [name: string]: unknown })[name]
    const clean = sensitive.test(name) && value !== null && value !== undefined ? '[redacted]' : redact(value, depth + 1)
    if (clean === value) continue
    copy ??= { ...fields }
    copy[name] = clean
  }
  return copy ?? fields
}
