import { expect, test } from 'vitest'
import { manualClock } from '../../../platform/clock.ts'
import { keepingMetadata } from './metadata.ts'

const issuer = 'https://login.acme.example'
const url = `${issuer}/.well-known/openid-configuration`
const document = (version: number) => JSON.stringify({ issuer, authorization_endpoint: 'a', token_endpoint: 't', version })
const options = { method: 'GET', headers: {} }

const setUp = () => {
  const clock = manualClock()
  const asked: string[] = []
  const provider = { answer: async (): Promise<Response> => new Response(document(1)) }
  const fetch = keepingMetadata(async (asking) => {
    asked.push(asking)
    return provider.answer()
  }, clock.now)
  return { clock, asked, provider, read: async (at = url) => (await fetch(at, options)).text() }
}

test('what a provider says of itself is read once an hour, however many ask', async () => {
  const { clock, asked, provider, read } = setUp()
  const first = await Promise.all(Array.from({ length: 20 }, () => read()))
  expect(new Set(first)).toEqual(new Set([document(1)]))
  clock.advance(3_599_999)
  await read()
  expect(asked).toHaveLength(1)
  provider.answer = async () => new Response(document(2))
  clock.advance(1)
  expect(await read()).toBe(document(2))
  expect(asked).toHaveLength(2)
})

test.each<[string, () => Promise<Response>]>([
  ['fails', async () => new Response('busy', { status: 503 })],
  ['cannot be reached', async () => Promise.reject(new Error('no way there'))],
  ['answers with a page', async () => new Response('<html>')],
  [
    'answers as another',
    async () => new Response(JSON.stringify({ issuer: 'https://evil.example', authorization_endpoint: 'a', token_endpoint: 't' })),
  ],
  ['answers with half of it', async () => new Response(JSON.stringify({ issuer }))],
  ['answers with nothing', async () => new Response('null')],
])('a provider that %s is taken at its last word, if there is one, and asked again', async (_what, answer) => {
  const { clock, asked, provider, read } = setUp()
  provider.answer = answer
  const refused = await read().catch((error: Error) => error.message)
  expect(refused).not.toBe(document(1))
  provider.answer = async () => new Response(document(1))
  expect(await read()).toBe(document(1))
  clock.advance(3_600_000)
  provider.answer = answer
  expect(await read()).toBe(document(1))
  expect(await read()).toBe(document(1))
  expect(asked).toHaveLength(4)
})

test('keys are asked for each time', async () => {
  const { asked, read } = setUp()
  await read(`${issuer}/keys`)
  await read(`${issuer}/keys`)
  expect(asked).toHaveLength(2)
})
