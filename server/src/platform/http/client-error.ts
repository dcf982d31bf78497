import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { Problem } from '../errors.ts'
import { httpErrors } from './errors.ts'
import type { House } from './house.ts'
import { problemDocument } from './problem.ts'

const problemOf = (error: NodeJS.ErrnoException): Problem => {
  if (error.code === 'HPE_HEADER_OVERFLOW') return httpErrors.headers_too_large()
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') return httpErrors.request_timeout()
  if (error.code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW') return httpErrors.body_too_large()
  return httpErrors.malformed_request()
}

/** Answers what never became a request, because the HTTP parser refused it: a problem document, written by hand, and the end of the connection. */
export const answerClientError = (house: House, error: NodeJS.ErrnoException, socket: Socket): void => {
  // The peer is gone, or it was mid-way in a reply: nothing that could be said would be understood.
  if (error.code === 'ECONNRESET' || !socket.writable || socket.destroyed || hasReplyUnderWay(socket)) return void socket.destroy()
  const problem = problemOf(error)
  const request_id = house.app.newId()
  const place = { public_url: house.public_url, request_id, trace_id: null, path: '', method: '' }
  const body = JSON.stringify(problemDocument(problem, place))
  const { status } = problem.declaration
  const headers = {
    ...house.security_headers,
    'content-type': 'application/problem+json; charset=utf-8',
    'content-length': String(Buffer.byteLength(body)),
    'cache-control': 'no-store',
    'x-request-id': request_id,
    connection: 'close',
  }
  const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  house.app.log.info({ request_id, status, code: error.code }, 'a request could not be read')
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${head.join('')}\r\n${body}`)
  // What it still sends is read and dropped for a moment, so that it gets to read the reply.
  socket.resume()
  const timer = setTimeout(() => socket.destroy(), 1_000)
  timer.unref()
  socket.once('close', () => clearTimeout(timer))
}

/** Node keeps the reply in progress there; the same test that its own default handler makes. */
const hasReplyUnderWay = (socket: Socket): boolean =>
  (Reflect.get(socket, '_httpMessage') as { readonly headersSent?: boolean } | null | undefined)?.headersSent === true
