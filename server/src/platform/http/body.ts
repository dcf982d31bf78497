import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Problem } from '../errors.ts'
import { httpErrors } from './errors.ts'

export type BodyRead = (problem: Problem | null, body: Buffer) => void

const nothing = Buffer.alloc(0)

/** From here on a body is worked on in a turn of the event loop of its own. */
export const large_bytes = 64 * 1024

/** Whether the request announces a body at all. */
export const hasBody = (request: IncomingMessage): boolean =>
  (request.headers['content-length'] ?? '0') !== '0' || request.headers['transfer-encoding'] !== undefined

/**
 * Reads the whole body, at most `limit` bytes of it. A longer one is refused as soon as that is known: before the first
 * byte when `Content-Length` says so. Calls back at once when there is no body. `proceed` is called before reading, for a
 * client that waits for `100 Continue`.
 */
export const readBody = (request: IncomingMessage, limit: number, proceed: () => void, done: BodyRead): void => {
  if (!hasBody(request)) return done(null, nothing)
  const tooLarge = (): Problem =>
    httpErrors.body_too_large({ detail: `The body is limited to ${limit} bytes.`, extra: { limit_bytes: limit } })
  if (Number(request.headers['content-length'] ?? 0) > limit) return done(tooLarge(), nothing)
  const chunks: Buffer[] = []
  let size = 0
  const finish = (problem: Problem | null): void => {
    request.off('data', onData).off('end', onEnd).off('error', onError).off('close', onError)
    if (problem === null) return done(null, chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, size))
    // An 'error' that comes after we stopped listening must not end the process.
    request.on('error', () => undefined)
    done(problem, nothing)
  }
  const onData = (chunk: Buffer): void => {
    size += chunk.length
    if (size > limit) finish(tooLarge())
    else chunks.push(chunk)
  }
  const onEnd = (): void => finish(null)
  const onError = (): void => finish(httpErrors.malformed_request({ detail: 'The body ended early.' }))
  request.on('data', onData).on('end', onEnd).on('error', onError).on('close', onError)
  proceed()
}

const linger_ms = 5_000

/**
 * After a reply to a request whose body was not read to its end: the rest is thrown away as it comes, for a while, so that
 * the client gets to read the reply. Closing at once would reset the connection under it.
 */
export const discardRest = (request: IncomingMessage, response: ServerResponse): void => {
  const { socket } = response
  request.resume()
  const timer = setTimeout(() => request.socket.destroy(), linger_ms)
  timer.unref()
  // The connection may serve on: nothing of this request stays with it.
  const stop = (): void => {
    clearTimeout(timer)
    socket?.off('close', stop)
  }
  request.once('end', stop)
  socket?.once('close', stop)
}
