import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, expect, test } from 'vitest'
import { isCrowded, limitConnections } from './connections.ts'

const big = Buffer.alloc(32 << 20)

const server = createServer({ keepAliveTimeout: 100, keepAliveTimeoutBuffer: 100 }, (request, response) => {
  if (request.url === '/big') response.end(big)
  else if (request.url === '/slow') setTimeout(() => response.end('slow'), 600)
  else response.end(isCrowded(request) ? 'crowded' : 'fine')
})
limitConnections(server, { most_unanswered: 3, stuck_ms: 200 })
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const { port } = server.address() as AddressInfo
afterAll(() => server.close())

/** What a client gets that sends this and then only reads, or does not even that. */
const session = async (text: string, reads: boolean): Promise<{ readonly got: string; readonly ms: number }> => {
  const began = performance.now()
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  let got = ''
  if (reads) socket.on('data', (chunk) => (got += chunk.toString('latin1')))
  socket.write(text)
  await Promise.race([once(reads ? socket : server, reads ? 'close' : 'seen closed'), pause(5_000, undefined, { ref: false })])
  socket.destroy()
  return { got, ms: performance.now() - began }
}

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nhost: a\r\n\r\n`

test('of requests that do not wait for replies, those beyond the limit are told apart until the others are answered', async () => {
  const { got } = await session(get('/slow') + get('/').repeat(4), true)
  expect(got.match(/slow|fine|crowded/g)).toEqual(['slow', 'fine', 'fine', 'crowded', 'crowded'])
  const { got: later } = await session(get('/') + get('/'), true)
  expect(later.match(/fine|crowded/g)).toEqual(['fine', 'fine'])
})

test('a connection that says nothing, or nothing more, is closed; one whose request takes long is not', async () => {
  for (const text of [' ', 'GET / HT', get('/')]) expect((await session(text, true)).ms).toBeLessThan(4_000)
  const { got, ms } = await session(get('/slow'), true)
  expect(got).toContain('slow')
  expect(ms).toBeGreaterThan(600)
})

test('a reply that nobody reads is given up', async () => {
  server.once('connection', (socket) => socket.once('close', () => server.emit('seen closed')))
  const { ms } = await session(get('/big'), false)
  expect(ms).toBeLessThan(4_000)
})
