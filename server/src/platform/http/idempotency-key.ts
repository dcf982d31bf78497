import { httpErrors } from './errors.ts'

const quoted = /^"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\]){1,255})"$/
const bare = /^[\x21\x23-\x7e]{1,255}$/

/**
 * The key in an `Idempotency-Key` header: a structured-field string (draft-ietf-httpapi-idempotency-key-header-07, section
 * 2.1), or the bare text that many clients send. Throws 400 `http.idempotency_key_invalid`.
 */
export const readIdempotencyKey = (header: string | string[]): string => {
  const text = typeof header === 'string' ? header.trim() : ''
  const inner = quoted.exec(text)?.[1]
  if (inner !== undefined) return inner.replace(/\\(["\\])/g, '$1')
  if (bare.test(text)) return text
  throw httpErrors.idempotency_key_invalid()
}
