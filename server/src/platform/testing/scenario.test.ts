import { expect, test } from 'vitest'
import { scenario } from './scenario.ts'

const stage = (recorded: readonly string[], body: unknown = { id: 'a', name: 'Ann' }) => {
  const log: { id: string; name: string }[] = [{ id: '0', name: 'users.registered' }]
  const call = async (method: string, path: string) => {
    log.push(...recorded.map((name, index) => ({ id: `${index + 1}`, name })))
    return { status: method === 'POST' && path === '/a' ? 201 : 404, body, headers: new Headers({ etag: '"1"' }) }
  }
  return { events: async () => [...log], when: { by: call, method: 'POST', path: '/a' } }
}

test('a scenario holds when the reply and the events are as it says', async () => {
  const { when, ...mill } = stage(['users.registered', 'mail.sent', 'mail.sent'])
  const reply = await scenario(mill, {
    when,
    status: 201,
    body: { name: 'Ann' },
    headers: { etag: /^"\d+"$/, location: null },
    not_said: ['secret'],
    events: { 'users.registered': 1, 'mail.sent': 2, '*': 0 },
  })
  expect(reply.body).toEqual({ id: 'a', name: 'Ann' })
})

test('a scenario fails for what it did not say, and for what did not happen', async () => {
  const tries: readonly (readonly [readonly string[], object])[] = [
    [['a.b'], { events: [] }],
    [['a.b'], { events: { '*': 0 } }],
    [['a.b', 'a.c'], { events: { 'a.b': 1, '*': 0 } }],
    [['a.b', 'a.b'], { events: { 'a.b': 1 } }],
    [[], { events: { 'a.b': 1 } }],
    [[], { events: ['a.b'] }],
    [[], { events: [], status: 200 }],
    [[], { events: [], body: { name: 'Ben' } }],
    [[], { events: [], headers: { etag: '"2"' } }],
    [[], { events: [], headers: { etag: null } }],
    [[], { events: [], not_said: ['Ann'] }],
  ]
  for (const [recorded, expected] of tries) {
    const { when, ...mill } = stage(recorded)
    await expect(scenario(mill, { when, status: 201, events: [], ...expected }), JSON.stringify([recorded, expected])).rejects.toThrow()
  }
})
