import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as pause } from 'node:timers/promises'

export interface EffectCall {
  /** Unix milliseconds. */
  readonly at: number
  readonly body: string
}

/** Some answers take their time, so that there is something in flight when a server dies. */
const longest_ms = 600

/** A receiver of effects that notes, for each idempotency key, when it was called and with what. It answers with the body. */
export interface Receiver {
  readonly port: number
  readonly calls: ReadonlyMap<string, readonly EffectCall[]>
  readonly close: () => Promise<void>
}

export const startReceiver = async (onCall: (body: Record<string, unknown>, key: string) => void = () => {}): Promise<Receiver> => {
  const calls = new Map<string, EffectCall[]>()
  const server = createServer((request, response) => {
    const at = Date.now()
    const key = String(request.headers['idempotency-key'] ?? 'none')
    const take = async (): Promise<void> => {
      const body = await text(request)
      const seen = calls.get(key)
      if (seen === undefined) calls.set(key, [{ at, body }])
      else seen.push({ at, body })
      onCall(JSON.parse(body) as Record<string, unknown>, key)
      if (randomInt(4) === 0) await pause(randomInt(longest_ms))
      response.setHeader('content-type', 'application/json')
      response.end(body)
    }
    // Whoever was killed while it sent is not heard.
    take().catch(() => response.destroy())
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
