import { expect, test } from 'vitest'
import { isAddress, oneLine, parseSender } from './address.ts'

test.each(['ada@example.org', "o'neil+mill@sub.example.co.uk", 'a@localhost', `${'a'.repeat(64)}@example.org`, 'x@xn--mller-kva.example'])(
  '%s is an address',
  (text) => expect(isAddress(text)).toBe(true),
)

test.each([
  ...['', 'ada', '@example.org', 'ada@', 'a b@example.org', 'ada@example.org\r\nBcc: eve@example.org', 'ada@example.org\n'],
  ...[
    'ada@example.org,eve@example.org',
    'Ada <ada@example.org>',
    '"a\r\nb"@example.org',
    'ada@[127.0.0.1]',
    'ada@-example.org',
    '.a@example.org',
  ],
  ...['a..b@example.org', 'ada@example..org', `${'a'.repeat(65)}@example.org`, `a@${'b.'.repeat(126)}org`, 'ada@exa\u0000mple.org'],
])('%j is none', (text) => expect(isAddress(text)).toBe(false))

test.each([
  ['no-reply@example.com', { name: '', address: 'no-reply@example.com' }],
  ['Acme <no-reply@example.com>', { name: 'Acme', address: 'no-reply@example.com' }],
  ['"Acme, Inc." <no-reply@example.com>', { name: 'Acme, Inc.', address: 'no-reply@example.com' }],
  ['Müller & Söhne <post@example.com> ', { name: 'Müller & Söhne', address: 'post@example.com' }],
  ['Acme', null],
  ['Acme <no-reply>', null],
  ['Acme\r\nBcc: eve@example.org <a@example.com>', null],
  ['a@example.com <b@example.com> <c@example.com>', null],
])('%j as a sender', (text, sender) => expect(parseSender(text)).toEqual(sender))

test('a line that is cut is cut between characters', () => {
  expect(oneLine('  a\t\nb  c ', 10)).toBe('a b c')
  expect(oneLine('abcdef', 5)).toBe('abcd…')
  expect(oneLine('abc😀def', 5).isWellFormed()).toBe(true)
})
