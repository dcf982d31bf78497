import { randomUUID } from 'node:crypto'
import { Type } from 'typebox'
import { afterAll, expect, test } from 'vitest'
import type { Actor, Ctx } from '../context.ts'
import { bareApp } from '../testing/bare-app.ts'
import { testDatabase } from '../testing/test-database.ts'
import { defineEvent } from './event.ts'

const ground = defineEvent({ name: 'mill.flour.ground', doc: 'Flour was ground.', data: Type.Object({ sack: Type.Number() }) })
const database = await testDatabase()
const { app, stop } = await bareApp({ database: await database.open() })
afterAll(async () => {
  await stop()
  await database.close()
})

const miller = randomUUID()
const owner = randomUUID()
const client = { address: '198.51.100.7', user_agent: 'stone/1.0' }
const origin = { request_id: 'request-1', ...client }
const user = (impersonator_id: string | null = null): Actor => ({
  type: 'user',
  user_id: miller,
  role: 'user',
  workspace_role: 'owner',
  plan: 'free',
  via: { type: 'session', session_id: randomUUID() },
  impersonator_id,
})
const requestOf = (actor: Actor): Ctx => app.context({ actor, workspace_id: randomUUID(), request_id: origin.request_id, client })

let sacks = 0
/** What is recorded of an event that is written like this. */
const recorded = async (ctx: Ctx, before?: (tx: Parameters<Parameters<Ctx['tx']>[0]>[0]) => void, changes?: object): Promise<unknown> => {
  const sack = (sacks += 1)
  await ctx.tx(async (tx) => {
    before?.(tx)
    tx.emit(ground, { sack }, changes)
  })
  const [row] = await database.owner`
    select actor_type, actor_id, impersonator_id, origin, changes from events where (data ->> 'sack')::int = ${sack}`
  return row
}
const nothing = { impersonator_id: null, changes: null }

test('an event says who did it and from where', async () => {
  expect(await recorded(requestOf(user()))).toEqual({ ...nothing, actor_type: 'user', actor_id: miller, origin })
  expect(await recorded(requestOf({ type: 'anonymous' }))).toEqual({ ...nothing, actor_type: 'anonymous', actor_id: null, origin })
})

test('somebody who acts for another is named beside them', async () => {
  expect(await recorded(requestOf(user(owner)))).toMatchObject({ actor_id: miller, impersonator_id: owner })
})

test('what a request does with the rights of the system is recorded as done by whoever asked', async () => {
  const expected = { ...nothing, actor_type: 'user', actor_id: miller, impersonator_id: owner, origin }
  expect(await recorded(requestOf(user(owner)).asSystem('look over the wall'))).toEqual(expected)
  expect(await recorded(requestOf(user(owner)).asSystem('look over the wall').asSystem('and further', randomUUID()))).toEqual(expected)
  const inner = Promise.withResolvers<unknown>()
  await requestOf(user(owner)).tx(async (tx) => inner.resolve(await recorded(tx.asSystem('from within a transaction'))))
  expect(await inner.promise).toEqual(expected)
})

test('what the product does by itself has no origin', async () => {
  const expected = { ...nothing, actor_type: 'system', actor_id: null, origin: null }
  expect(await recorded(app.asSystem('grind at night'))).toEqual(expected)
})

test('who signs in is named by the events of that transaction, and nobody takes the place of who was signed in already', async () => {
  const anna = randomUUID()
  const signIn = (tx: { readonly onBehalfOf: (id: string) => void }): void => tx.onBehalfOf(anna)
  const anonymous = requestOf({ type: 'anonymous' })
  expect(await recorded(anonymous.asSystem('open a session'), signIn)).toEqual({ ...nothing, actor_type: 'user', actor_id: anna, origin })
  expect(await recorded(anonymous.asSystem('the next transaction'))).toMatchObject({ actor_type: 'anonymous', actor_id: null })
  expect(await recorded(requestOf(user()).asSystem('open a session for somebody'), signIn)).toMatchObject({ actor_id: miller })
})

test('changes are recorded with credentials masked; a header is not recorded at any length', async () => {
  const changes = { before: { name: 'rye', token: 'canary' }, after: { name: 'wheat' } }
  expect(await recorded(requestOf(user()), undefined, changes)).toMatchObject({
    changes: { before: { name: 'rye', token: '[redacted]' }, after: { name: 'wheat' } },
  })
  const long = app.context({
    actor: user(),
    workspace_id: null,
    request_id: 'r',
    client: { address: null, user_agent: 'x'.repeat(20_000) },
  })
  expect(await recorded(long)).toMatchObject({ origin: { request_id: 'r', address: null, user_agent: 'x'.repeat(500) } })
})
