import { emailPattern } from '../../users/schema.ts'
import * as users from '../../users/users.ts'
import type { Asserted } from './provider.ts'

const email = new RegExp(emailPattern)
/** OpenID Connect Core, section 2: at most 255 ASCII characters, compared as they are. */
const subject = /^[\x20-\x7e]{1,255}$/

/** A claim that could be stored as a subject, or null. */
export const subjectOf = (value: unknown): string | null => (typeof value === 'string' && subject.test(value) ? value : null)

/** Of what somebody else says of a person, that which has the form it needs here. `verified` counts when it is `true` itself, never `"true"`. */
export const personOf = (said: {
  readonly email?: unknown
  readonly verified?: unknown
  readonly name?: unknown
}): Pick<Asserted, 'email' | 'email_verified' | 'name'> => {
  const address =
    typeof said.email === 'string' && said.email.length <= 254 && email.test(said.email) ? users.normaliseEmail(said.email) : null
  return { email: address, email_verified: address !== null && said.verified === true, name: displayName(said.name) }
}

const displayName = (value: unknown): string | null => {
  if (typeof value !== 'string') return null
  // A name is shown to others and goes into mails: no control characters, and no half of a pair.
  const name = value
    .replaceAll(/\p{Cc}+/gu, ' ')
    .trim()
    .slice(0, 200)
    .toWellFormed()
  return name === '' ? null : name
}
