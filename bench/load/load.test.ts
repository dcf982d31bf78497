import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import type { LoadOptions } from './contract.ts'
import { asFastAsRepliesCome, complaintsOf, runLoad } from './load.ts'

const serve = async (listener: RequestListener): Promise<number> => {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return (server.address() as AddressInfo).port
}

const short = (port: number, more: Partial<LoadOptions> = {}): LoadOptions => ({
  ...asFastAsRepliesCome,
  port,
  clients: 4,
  warm_up_s: 0.1,
  measured_s: 0.3,
  requests: [{ method: 'GET', path: '/', headers: {}, body: null, expect: { status: 200, body: 'right' } }],
  ...more,
})

test('every reply that the server gave is counted, and right ones make no complaint', async () => {
  let served = 0
  const port = await serve((_, response) => {
    served += 1
    response.end('right')
  })
  const result = await runLoad(short(port))
  expect(result.requests_per_s).toBeGreaterThan(0)
  expect(result.statuses).toEqual({ '200': served })
  expect(complaintsOf(result)).toEqual([])
})

test('a wrong status and a wrong body are complained of and not counted as done', async () => {
  let turn = 0
  const port = await serve((_, response) => {
    response.statusCode = turn++ % 2 === 0 ? 500 : 200
    response.end('wrong')
  })
  const result = await runLoad(short(port))
  expect(result.requests_per_s).toBe(0)
  expect(result.wrong).toBe((result.statuses['200'] ?? 0) + (result.statuses['500'] ?? 0))
  expect(complaintsOf(result)[0]).toContain('not as expected')
})

test('a server that is not there, and one that hangs up, are complained of', async () => {
  const port = await serve((request) => request.socket.destroy())
  expect(complaintsOf(await runLoad(short(port)))[0]).toContain('had no reply')
  expect(complaintsOf(await runLoad(short(1)))[0]).toContain('ECONNREFUSED')
})

test('a paced load sends by the clock', async () => {
  const port = await serve((_, response) => response.end('right'))
  const result = await runLoad(short(port, { pace_per_s: 100, measured_s: 1 }))
  expect(result.requests_per_s).toBeGreaterThan(50)
  expect(result.requests_per_s).toBeLessThanOrEqual(105)
})

test('what is good for one use is used once: each request has what the reply before it gave', async () => {
  const used: string[] = []
  const issued = new Set(['token-000000', 'token-000001', 'token-000002', 'token-000003'])
  const port = await serve((request, response) => {
    request.setEncoding('utf8').once('data', (text: string) => {
      const { token } = JSON.parse(text) as { token: string }
      used.push(token)
      const next = `token-${String(issued.size).padStart(6, '0')}`
      response.statusCode = issued.has(token) ? 200 : 401
      issued.add(next)
      response.end(JSON.stringify({ user: { name: 'anna' }, token: next }))
    })
  })
  const requests = [...issued].map((first) => ({
    method: 'POST',
    path: '/',
    headers: {},
    body: JSON.stringify({ token: first }),
    carries: { field: 'token', first },
    expect: { status: 200, body: null },
  }))
  const result = await runLoad(short(port, { requests, clients: 2 }))
  expect(complaintsOf(result)).toEqual([])
  expect(used.length).toBeGreaterThan(8)
  expect(new Set(used).size).toBe(used.length)
  await expect(runLoad(short(port, { requests, clients: 3 }))).rejects.toThrow('ended with code 1')
})

test('a load that would never end does not begin', async () => {
  await expect(runLoad(short(1, { measured_s: Number.NaN }))).rejects.toThrow('ended with code 1')
})
