/** Names of what a log line must not show. A line has codes of errors, so `code` stays. */
const credentials = /(?:^|[_-])(?:authorization|cookie|password|passphrase|token|secret|(?:api|secret|private)[_-]?key)$/i

/** Names of what a record that is kept for years must not hold: besides those, what proves or could be tried to prove who somebody is. */
const provable = new RegExp(
  [
    '(?:^|_)(?:authorization|cookies?|passwords?|passphrase|passcode|tokens?|secrets?|credentials?|challenge|verifier|salt|seed|otp|totp|pin)$',
    '(?:^|_)(?:api|secret|private|signing|encryption|access|master)_?keys?$',
    '(?:^|_)(?:password|token|secret|key|code|credential)_?(?:hash|digest)(?:es|s)?$',
    '^(?:hash|codes?)$',
    '(?:^|_)(?:recovery|backup|verification|confirmation|reset|invitation|invite|authorization|auth|login|access|setup|mfa|otp|one_time)_codes?$',
  ].join('|'),
)

const isCredential = (name: string): boolean => credentials.test(name)
const isProvable = (name: string): boolean =>
  provable.test(
    name
      .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
      .replaceAll('-', '_')
      .toLowerCase(),
  )

const deepest = 5

/**
 * The same value with each field whose name says that it holds a credential replaced by `[redacted]`, at any place in plain
 * objects and arrays down to five levels (below them objects are left out). What needs no replacement is not copied.
 */
export const redact = (value: unknown): unknown => clean(value, isCredential, 0)

/** The same for what is recorded of a change: masks also codes, challenges, digests and keys by any name that customers give them. */
export const redactChange = (value: unknown): unknown => clean(value, isProvable, 0)

type Masks = (name: string) => boolean

const clean = (value: unknown, masks: Masks, depth: number): unknown => {
  if (typeof value !== 'object' || value === null) return value
  const prototype: unknown = Object.getPrototypeOf(value)
  const isArray = Array.isArray(value)
  if (!isArray && prototype !== Object.prototype && prototype !== null)
    return isErrorShape(value) ? cleanFields(value, masks, depth) : value
  if (depth > deepest) return '[too deep]'
  return isArray ? cleanItems(value, masks, depth) : cleanFields(value, masks, depth)
}

/** What pino makes of an error is an object with a prototype of its own. */
const isErrorShape = (value: object): boolean => !(value instanceof Error) && 'stack' in value && 'message' in value

const cleanItems = (items: readonly unknown[], masks: Masks, depth: number): unknown => {
  const cleaned = items.map((item) => clean(item, masks, depth + 1))
  return cleaned.some((item, index) => item !== items[index]) ? cleaned : items
}

const cleanFields = (fields: object, masks: Masks, depth: number): unknown => {
  let copy: { [name: string]: unknown } | null = null
  for (const name in fields) {
    const value = (fields as { [name: string]: unknown })[name]
    const cleaned = masks(name) && value !== null && value !== undefined ? '[redacted]' : clean(value, masks, depth + 1)
    if (cleaned === value) continue
    copy ??= { ...fields }
    copy[name] = cleaned
  }
  return copy ?? fields
}
