import { get, type IncomingMessage } from 'node:http'
import { afterAll, expect, test, vi } from 'vitest'
import { Type } from 'typebox'
import { testDatabase } from '../testing/test-database.ts'
import { testServer } from '../testing/test-server.ts'
import { httpErrors } from './errors.ts'
import { route, streamed } from './route.ts'

const ended: string[] = []
const made: { [name: string]: number } = {}

/** Parts of about 64 KiB, and what becomes of whoever makes them. */
const parts = async function* (
  name: string,
  count: number,
  fault?: { readonly at: number; readonly error: Error },
): AsyncGenerator<string> {
  try {
    for (let part = 0; part < count; part++) {
      if (part === fault?.at) throw fault.error
      made[name] = part + 1
      yield `${part},${'x'.repeat(65_536)}\n`
    }
  } finally {
    ended.push(name)
  }
}

const answers: { readonly [name: string]: () => AsyncIterable<string> } = {
  whole: () => parts('whole', 40),
  nothing: () => parts('nothing', 0),
  refused: () => parts('refused', 5, { at: 0, error: httpErrors.not_found() }),
  broken: () => parts('broken', 5, { at: 2, error: new Error('the mill stopped') }),
  endless: () => parts('endless', Infinity),
}

const exported = route({
  method: 'GET',
  path: '/export/{name}',
  summary: 'An export',
  allow: 'public',
  streams: ['text/csv'],
  params: Type.Object({ name: Type.String() }),
  replies: { 200: Type.String() },
  handler: (_, { params: { name } }) =>
    streamed({ headers: { 'content-type': 'text/csv' }, parts: (answers[name] as () => AsyncIterable<string>)() }),
})

const database = await testDatabase()
const server = await testServer({ routes: [exported], database })
afterAll(async () => {
  await server.close()
  await database.close()
})
const fetchExport = (name: string): Promise<Response> => fetch(`${server.url}/api/v1/export/${name}`)

test('a reply is sent in parts, with the headers that every reply has', async () => {
  const reply = await fetchExport('whole')
  expect(reply.status).toBe(200)
  expect(reply.headers.get('content-type')).toBe('text/csv')
  expect(reply.headers.get('content-length')).toBeNull()
  expect(reply.headers.get('cache-control')).toBe('no-store')
  expect(reply.headers.get('x-request-id')).not.toBeNull()
  const lines = (await reply.text()).split('\n')
  expect(lines.map((line) => line.split(',')[0])).toEqual([...Array.from({ length: 40 }, (_, part) => String(part)), ''])
  expect(ended).toContain('whole')
})

test('a reply without a part is empty', async () => {
  const reply = await fetchExport('nothing')
  expect([reply.status, await reply.text()]).toEqual([200, ''])
})

test('what fails before the first part is a problem document', async () => {
  const reply = await fetchExport('refused')
  expect(reply.status).toBe(404)
  expect(await reply.json()).toMatchObject({ code: 'http.not_found' })
})

test('what fails later cuts the connection, so that nobody takes what came for the whole', async () => {
  const reply = await fetchExport('broken')
  await expect(reply.text()).rejects.toThrow()
  await vi.waitFor(() => expect(server.log()).toContainEqual(expect.objectContaining({ msg: expect.stringContaining('cut') })))
})

test('no more is made than the client takes, and nothing more once it is gone', async () => {
  const reply = await new Promise<IncomingMessage>((resolve) => get(`${server.url}/api/v1/export/endless`, resolve))
  await new Promise((resolve) => reply.once('readable', resolve))
  let before = -1
  // It goes on until what lies between the two is full.
  await vi.waitFor(
    () => {
      const now = made['endless'] as number
      const is_still = now === before
      before = now
      expect(is_still).toBe(true)
    },
    { interval: 200, timeout: 10_000 },
  )
  expect(before).toBeLessThan(1_000)
  reply.destroy()
  await vi.waitFor(() => expect(ended).toContain('endless'))
})
