import { beforeAll, expect, test } from 'vitest'
import { loadCommonPasswords, type CommonPasswords } from './common-passwords.ts'
import { checkPassword } from './password-policy.ts'

let common: CommonPasswords
beforeAll(async () => {
  common = await loadCommonPasswords()
})

const owner = { email: 'thandi.mokoena@karoo-books.example', username: 'thandi', name: 'Thandi Mokoena' }
const check = (password: string): string | null => checkPassword(password, owner, common)

test.each([
  'correct horse battery staple',
  'violet-umbrella-39-harbour',
  'K7#mqz!Rw0pd',
  '739105826417',
  'ninety nine red balloons',
  'пять зелёных яблок',
  '🦔🌵🚲🎺🧭🪁🥨🦉🍄🎲🛶🧵',
])('%s is good: nothing asks for digits, capitals or signs', (password) => {
  expect(check(password)).toBe(null)
})

test.each([
  ['1q2w3e4r5t6y', 'a breached password'],
  ['1Q2W3E4R5T6Y', 'in capitals too'],
  ['administrator', 'a word everybody tries'],
  ['password1234', 'with digits after it'],
  ['1234password', 'or before'],
  ['Password!!!!', 'or signs'],
  ['passwordpassword', 'said twice'],
  ['dragondragondragon', 'or three times'],
  ['aaaaaaaaaaaaaaaa', 'one character'],
  ['abcdabcdabcdabcd', 'a short repetition'],
  ['123456789012345', 'counting'],
  ['qwertyuiopasdf', 'along the keyboard'],
  ['zyxwvutsrqponm', 'backwards'],
  ['ｐａｓｓｗｏｒｄ１２３４', 'in full-width letters'],
])('%s is too common: %s', (password) => {
  expect(check(password)).toMatch(/too common/)
})

test.each([
  'thandi.mokoena',
  'thandimokoena',
  'ThandiMokoena1',
  'thandi.mokoena@karoo-books.example',
  'karoo-books-2026',
  'MillraceMillrace',
  'millrace-thandi',
])('%s says no more than the account itself', (password) => {
  expect(check(password)).toMatch(/your name/)
})

test('a short name inside a long password is no reason to refuse it', () => {
  expect(checkPassword('violet-umbrella-39-harbour', { email: 'umbrella@violet.example', username: 'a' }, common)).toBe(null)
})

test('length is counted in characters, from 12 to 128, and nothing is cut off', () => {
  expect(check('xk3 vqz rw9p')).toBe(null)
  expect(check('xk3 vqz rw9')).toMatch(/at least 12/)
  expect(check('🦔🌵🚲🎺🧭🪁')).toMatch(/at least 12/)
  const long = Array.from({ length: 128 }, (_, i) => String.fromCodePoint(0x4e00 + ((i * 37) % 997))).join('')
  expect(check(long)).toBe(null)
  expect(check(`${long}一`)).toMatch(/at most 128/)
})

test('the list holds what it was made of and nothing else', () => {
  expect(common.has('123456')).toBe(true)
  expect(common.has('1q2w3e4r5t6y')).toBe(true)
  expect(common.has('')).toBe(false)
  expect(common.has('1234')).toBe(true)
  expect(common.has('123456\n1234567')).toBe(false)
  expect(common.has('zzzzzzzzzzzzzzzzzzzzzz')).toBe(false)
})
