import type { CommonPasswords } from './common-passwords.ts'

export const passwordLength = { min: 12, max: 128 } as const

/** What an attacker tries first for this account. */
export interface Owner {
  readonly email: string
  readonly username?: string | undefined
  readonly name?: string | undefined
}

/**
 * Why a new password is refused, as a sentence for its owner; null when it is good. Length and commonness alone decide: no
 * rule asks for digits, capitals or signs (NIST SP 800-63B-4, section 3.1.1.2; OWASP ASVS 5.0, 6.2). Length is counted in code points
 * after NFC, as hashed. Commonness is judged on the lower-case NFKC form, where look-alikes fold together.
 */
export const checkPassword = (password: string, owner: Owner, common: CommonPasswords): string | null => {
  const length = Array.from(password.normalize('NFC')).length
  if (length < passwordLength.min) return `must have at least ${passwordLength.min} characters`
  if (length > passwordLength.max) return `must have at most ${passwordLength.max} characters`
  const folded = password.normalize('NFKC').toLowerCase()
  if (isGuessable(folded, common)) return 'is too common: it stands in lists of breached passwords, or is one with little added'
  if (isAboutOwner(folded, owner)) return 'must not be made of your name, your e-mail address or the name of this product'
  return null
}

const maxPadding = 4

/** One common password, on its own, repeated, or with a little or another common one put before or after it. */
const isGuessable = (word: string, common: CommonPasswords): boolean => {
  const unit = repeatedUnit(word)
  if (unit.length <= maxPadding || isRun(word) || common.has(word) || common.has(unit)) return true
  const trimmed = word.replace(/[^\p{L}]+$/u, '').replace(/^[^\p{L}]+/u, '')
  if (trimmed.length >= maxPadding && trimmed.length < word.length && isWeak(trimmed, common)) {
    const [before, after] = word.split(trimmed, 2) as [string, string]
    return isPadding(before, common) && isPadding(after, common)
  }
  return false
}

const isWeak = (word: string, common: CommonPasswords): boolean => common.has(word) || common.has(repeatedUnit(word)) || isRun(word)

const isPadding = (part: string, common: CommonPasswords): boolean =>
  part.length <= maxPadding || isRun(part) || common.has(part) || repeatedUnit(part).length <= maxPadding

/** The shortest text that `word` is a repetition of: `abcabcabcab` → `abc`; the word itself when it is none. */
export const repeatedUnit = (word: string): string => {
  for (let length = 1; length <= word.length / 2; length++) {
    const unit = word.slice(0, length)
    if (unit.repeat(Math.ceil(word.length / length)).startsWith(word)) return unit
  }
  return word
}

const rows = [
  'abcdefghijklmnopqrstuvwxyz',
  '0123456789',
  'qwertyuiopasdfghjklzxcvbnm',
  'qwertzuiopasdfghjklyxcvbnm',
  'azertyuiopqsdfghjklmwxcvbn',
]
const runs = rows.flatMap((row) => [
  row + row,
  Array.from(row + row)
    .toReversed()
    .join(''),
])

/** A stretch of the alphabet, the digits or a keyboard, forwards or backwards. */
const isRun = (word: string): boolean => runs.some((run) => run.includes(word))

const productWords = ['millrace']

const isAboutOwner = (folded: string, owner: Owner): boolean => {
  const [local = '', domain = ''] = owner.email.toLowerCase().split('@')
  const names = [owner.email, local, domain, domain.split('.')[0] ?? '', owner.username ?? '', owner.name ?? '', ...productWords]
  const letters = (text: string): string =>
    text
      .normalize('NFKC')
      .toLowerCase()
      .replace(/[^\p{L}\p{N}]+/gu, '')
  let rest = letters(folded)
  for (const name of names
    .map(letters)
    .filter((text) => text.length >= 4)
    .toSorted((a, b) => b.length - a.length)) {
    rest = rest.replaceAll(name, '')
  }
  // What remains beside the names must be worth something by itself.
  return rest.length < letters(folded).length && (rest.length <= maxPadding || isRun(rest))
}
