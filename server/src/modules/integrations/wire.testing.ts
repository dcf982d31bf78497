import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Asked {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export interface Answer {
  readonly status?: number
  readonly headers?: { readonly [name: string]: string }
  /** Sent as JSON unless it is text. */
  readonly body?: unknown
}

export interface Wire {
  /** `http://127.0.0.1:<port>` */
  readonly url: string
  /** What it was asked so far. */
  readonly asked: Asked[]
  readonly close: () => Promise<void>
}

/** A service at the other end of the wire, on a free port. `null`: it never answers. */
export const wire = async (answer: (asked: Asked) => Answer | null | Promise<Answer | null>): Promise<Wire> => {
  const asked: Asked[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const url = new URL(request.url ?? '/', 'http://wire')
      const one: Asked = {
        method: request.method ?? '',
        path: url.pathname,
        query: url.searchParams,
        headers: request.headers,
        body: Buffer.concat(chunks).toString(),
      }
      asked.push(one)
      void Promise.resolve(answer(one)).then((given) => {
        if (given === null) return
        const { status = 200, headers = {}, body = '' } = given
        const text = typeof body === 'string' ? body : JSON.stringify(body)
        response.writeHead(status, { 'content-type': typeof body === 'string' ? 'text/plain' : 'application/json', ...headers }).end(text)
      })
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    close: () => {
      server.closeAllConnections()
      return new Promise((resolve) => void server.close(() => resolve()))
    },
  }
}

/** Answers with what it was asked, in body and headers. */
export const echo = ({ method, path, query, headers, body }: Asked): Answer => ({
  headers: { 'x-authorization': headers.authorization ?? 'none', 'set-cookie': `key=${[headers['x-api-key'] ?? 'none'].join()}` },
  body: { method, path, query: Object.fromEntries(query), headers, body },
})
