import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A receiver of effects that notes, for each idempotency key, when it was called. */
export interface Receiver {
  readonly port: number
  /** Unix milliseconds of each call, by idempotency key. */
  readonly calls: ReadonlyMap<string, readonly number[]>
  readonly close: () => Promise<void>
}

export const startReceiver = async (): Promise<Receiver> => {
  const calls = new Map<string, number[]>()
  const server = createServer((request, response) => {
    const key = String(request.headers['idempotency-key'] ?? 'none')
    const seen = calls.get(key) ?? []
    seen.push(Date.now())
    calls.set(key, seen)
    request.resume()
    request.on('end', () => {
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify({ call: seen.length }))
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    calls,
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
