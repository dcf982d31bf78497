import fc from 'fast-check'
import { expect, test } from 'vitest'
import { scanner } from './scanner.ts'

const counted = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello'
const chunked = 'HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n'
const empty = 'HTTP/1.1 204 No Content\r\n\r\n'

const read = (pieces: readonly Buffer[]) => {
  const scan = scanner()
  const answers = pieces.map((piece) => scan.push(piece)).map((answer) => answer && { ...answer, body: answer.body.toString() })
  return { before: answers.slice(0, -1), last: answers.at(-1) }
}

const cases = [
  { name: 'a counted body', text: counted, status: 200, body: 'hello' },
  { name: 'a chunked body', text: chunked, status: 201, body: 'hello' },
  { name: 'no body', text: empty, status: 204, body: '' },
]

test.each(cases)('$name is read the same however the bytes are cut', ({ text, status, body }) => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.integer({ min: 1, max: text.length - 1 })), (cuts) => {
      const bytes = Buffer.from(text)
      const at = [0, ...cuts.toSorted((a, b) => a - b), text.length]
      const { before, last } = read(at.slice(1).map((end, index) => bytes.subarray(at[index], end)))
      expect(before.every((answer) => answer === null)).toBe(true)
      expect(last).toEqual({ status, closes: false, body })
    }),
  )
})

test('one response after the other is read on the same connection', () => {
  const scan = scanner()
  for (const { text, status } of [...cases, ...cases]) expect(scan.push(Buffer.from(text))?.status).toBe(status)
})

test('a response that ends the connection says so', () => {
  expect(scanner().push(Buffer.from('HTTP/1.1 503 Busy\r\nconnection: close\r\ncontent-length: 0\r\n\r\n'))).toMatchObject({
    status: 503,
    closes: true,
  })
})

test('bytes that nobody has asked for and what is not HTTP are refused', () => {
  expect(() => scanner().push(Buffer.from(`${counted}x`))).toThrow('bytes after the end')
  expect(() => scanner().push(Buffer.from('SSH-2.0-x\r\n\r\n'))).toThrow('not an HTTP/1.1 response')
})
