import { expect, test } from 'vitest'
import { parseSmtpUrl } from './smtp-url.ts'

test.each([
  ['smtps://mail.example.com', { host: 'mail.example.com', port: 465, tls: 'from_start', auth: null }],
  ['smtp://mail.example.com', { host: 'mail.example.com', port: 587, tls: 'required', auth: null }],
  ['smtp://Mail.Example.com:2525?tls=off', { host: 'mail.example.com', port: 2525, tls: 'off', auth: null }],
  ['smtp://localhost:1025', { host: 'localhost', port: 1025, tls: 'off', auth: null }],
  ['smtp://127.0.0.1:1025/', { host: '127.0.0.1', port: 1025, tls: 'off', auth: null }],
  ['smtp://[::1]:1025', { host: '::1', port: 1025, tls: 'off', auth: null }],
  ['smtp://localhost:1025?tls=required', { host: 'localhost', port: 1025, tls: 'required', auth: null }],
  ['smtp://localhost.example.com', { host: 'localhost.example.com', port: 587, tls: 'required', auth: null }],
  [
    'smtps://ada%40example.org:p%40ss%3Aword%25@mail.example.com:4650',
    { host: 'mail.example.com', port: 4650, tls: 'from_start', auth: { user: 'ada@example.org', pass: 'p@ss:word%' } },
  ],
])('%s', (text, server) => expect(parseSmtpUrl(text)).toEqual(server))

test.each([
  ['smtp://', 'no host'],
  ['smtp://mail.example.com?tls=no', 'tls'],
  ['smtps://mail.example.com?tls=off', 'contradict'],
  ['smtp://mail.example.com?pool=true', 'pool'],
  ['smtp://:canary@mail.example.com', 'no user'],
  ['smtp://ada:canary%zz@mail.example.com', 'percent-encoded'],
])('%s is refused, and no password is repeated', (text, part) => {
  const parsed = parseSmtpUrl(text)
  expect(parsed).toEqual({ mistake: expect.stringContaining(part) })
  expect(JSON.stringify(parsed)).not.toContain('canary')
})
