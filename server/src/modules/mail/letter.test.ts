import { expect, test } from 'vitest'
import { write } from './letter.ts'

const hostile = `<img src=x onerror="alert('1')"> & "friends"`

test('what somebody has typed stands in the page as they typed it, and is no part of it', () => {
  const { html, text, subject } = write({
    subject: `${hostile} has invited you`,
    paragraphs: [hostile],
    link: { label: hostile, url: `https://mill.example.org/join#token=a&b='` },
    notes: [hostile],
  })
  expect(html).not.toContain('<img')
  expect(html).not.toContain('onerror="')
  expect(html.match(/&lt;img src=x onerror=&quot;alert\(&#39;1&#39;\)&quot;&gt; &amp; &quot;friends&quot;/g)).toHaveLength(5)
  expect(html).toContain(`href="https://mill.example.org/join#token=a&amp;b=&#39;"`)
  expect(text).toContain(hostile)
  expect(subject).toBe(`${hostile} has invited you`)
})

test('the text alone says everything that the page says', () => {
  const { text } = write({
    subject: 'Reset your password',
    paragraphs: ['Somebody asked for it.', 'Two lines\r\nin one paragraph.'],
    link: { label: 'Choose a new one', url: 'https://mill.example.org/auth/reset#token=t' },
    notes: ['Good for one hour.'],
  })
  expect(text).toBe(
    [
      'Reset your password',
      'Somebody asked for it.',
      'Two lines\nin one paragraph.',
      'Choose a new one:\nhttps://mill.example.org/auth/reset#token=t',
      'Good for one hour.\n',
    ].join('\n\n'),
  )
})

test('the page loads nothing and reads in the dark', () => {
  const { html } = write({ subject: 'Hello', paragraphs: ['One.'], link: { label: 'Open', url: 'http://127.0.0.1:3000/' } })
  expect(html).not.toMatch(/<img|<link|<script|url\(|src=|@import/i)
  expect(html).toContain('prefers-color-scheme: dark')
  expect(html).toContain('color-scheme: light dark')
})

test.each(['javascript:alert(1)', 'data:text/html,x', '/auth/reset', 'https://a.example/" onclick="x', 'https://a.example/\r\nBcc: x'])(
  'a link to %j is refused',
  (url) => {
    expect(() => write({ subject: 'Hello', paragraphs: [], link: { label: 'Open', url } })).toThrow('http or https')
  },
)

test('line breaks and other control characters never reach a subject, and few reach the text', () => {
  const { subject, text, html } = write({ subject: 'Hello\r\nBcc: eve@example.org\u0000\u2028x', paragraphs: ['a\u0000b\u001b[2J\tc'] })
  expect(subject).toBe('Hello Bcc: eve@example.org x')
  expect(text).toContain('ab[2J\tc')
  // oxlint-disable-next-line no-control-regex
  expect(html).not.toMatch(/[\u0000\u001b]/)
})
