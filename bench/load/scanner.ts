/** A response as far as a load generator looks at it. */
export interface ScannedResponse {
  readonly status: number
  /** The server closes the connection after it. */
  readonly closes: boolean
  readonly body: Buffer
}

export interface Scanner {
  /**
   * Takes what has arrived and gives the response once it is whole, else null. The bytes are copied only when a response comes in
   * more than one piece, and the body is a view that is valid until the next call. Throws when it is not HTTP/1.1, or when bytes
   * follow that nobody has asked for.
   */
  readonly push: (bytes: Buffer) => ScannedResponse | null
}

const headEnd = Buffer.from('\r\n\r\n')

interface Head {
  readonly status: number
  readonly closes: boolean
  /** Null: chunked. */
  readonly length: number | null
}

const readHead = (head: string): Head => {
  const first = /^HTTP\/1\.1 (\d{3}) /.exec(head)
  if (first === null) throw new Error(`not an HTTP/1.1 response: ${head.slice(0, 60)}`)
  const status = Number(first[1])
  const closes = /\r\nconnection: *close/i.test(head)
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)
  if (length !== null) return { status, closes, length: Number(length[1]) }
  if (/\r\ntransfer-encoding: *chunked/i.test(head)) return { status, closes, length: null }
  if (status === 204 || status === 304) return { status, closes, length: 0 }
  throw new Error('a response without content-length that is not chunked')
}

/** The joined chunks and where they end; null while the last one is missing (RFC 9112, section 7.1). */
const readChunks = (bytes: Buffer, from: number): { readonly body: Buffer; readonly end: number } | null => {
  const chunks: Buffer[] = []
  for (let at = from; ;) {
    const line = bytes.indexOf('\r\n', at)
    if (line === -1) return null
    const size = Number.parseInt(bytes.toString('latin1', at, line), 16)
    if (Number.isNaN(size)) throw new Error('a chunk without a size')
    if (bytes.length < line + 2 + size + 2) return null
    if (size === 0) return { body: Buffer.concat(chunks), end: line + 4 }
    chunks.push(bytes.subarray(line + 2, line + 2 + size))
    at = line + 2 + size + 2
  }
}

/** Reads the responses of one connection on which one request is under way at a time. */
export const scanner = (): Scanner => {
  let kept: Buffer | null = null
  // Responses to the same request hardly differ in their head: the last one's is recognised by its bytes.
  let lastText = ''
  let lastHead: Head | null = null

  const headOf = (text: string): Head => {
    if (lastHead !== null && text === lastText) return lastHead
    lastHead = readHead(text)
    lastText = text
    return lastHead
  }

  return {
    push: (arrived) => {
      const bytes = kept === null ? arrived : Buffer.concat([kept, arrived])
      const end = bytes.indexOf(headEnd)
      const head = end === -1 ? null : headOf(bytes.toString('latin1', 0, end + 2))
      const start = end + headEnd.length
      const chunked = head?.length === null ? readChunks(bytes, start) : null
      const stop = head === null ? null : head.length === null ? (chunked?.end ?? null) : start + head.length
      if (head === null || stop === null || bytes.length < stop) {
        kept = kept === null ? Buffer.from(bytes) : bytes
        return null
      }
      if (bytes.length > stop) throw new Error('bytes after the end of the response')
      kept = null
      return { status: head.status, closes: head.closes, body: chunked?.body ?? bytes.subarray(start, stop) }
    },
  }
}
