import { afterAll, expect, test, vi } from 'vitest'
import { summarise } from '../server/src/engine/statistics/summarise.ts'
import { manual, publish, webhookDefinition } from '../server/src/modules/workflows/definitions.testing.ts'
import { linkSupabase, supabase } from '../server/src/modules/identity/external/link.testing.ts'
import { challengeOf, setUpTotp } from '../server/src/modules/identity/mfa/codes.testing.ts'
import { addPasskey, createAuthenticator } from '../server/src/modules/identity/passkeys/authenticator.testing.ts'
import { requestKeeper } from '../server/src/modules/workflows/requests/keeper.ts'
import { freePort } from '../server/src/modules/identity/recovery/post.testing.ts'
import { notices } from '../server/src/modules/plans/notices.ts'
import { checkFor } from '../server/src/modules/plans/plans.ts'
import { findUnprotected } from '../server/src/platform/testing/catalogue.ts'
import { denialSuite } from '../server/src/platform/testing/denial.suite.ts'
import { testApp, type TestUser } from '../server/src/test-app.ts'

// A plan with limits, so that there is something to count; a name, because passkeys need one.
const port = await freePort()
const origin = `http://localhost:${port}`
const mill = await testApp({ env: { MILLRACE_DEFAULT_PLAN: 'premium', PORT: String(port), PUBLIC_URL: origin, ...supabase } })
const anna = await mill.register('anna')
const ben = await mill.register('ben')
afterAll(() => mill.close())

/** Leaves a row in every table, through the front door. */
const workFor = async (user: TestUser, name: string): Promise<void> => {
  const hooked = await publish(user, webhookDefinition(name, { dedupe: { header: 'x-delivery' }, keep_requests: 'refused' }))
  const template = await user.call('POST', `/api/v1/workflows/${hooked}/save-as-template`, { body: {} })
  expect(template.status).toBe(201)
  const byThemselves = [
    { id: 'tick', type: 'trigger.schedule', config: { every_ms: 3_600_000 } },
    { id: 'failure', type: 'trigger.failure' },
  ]
  await publish(user, { nodes: byThemselves, edges: [] })
  const secret = await user.call('POST', '/api/v1/workflows/secrets', { body: { name: 'of a webhook', value: `secret of ${name}` } })
  expect(secret.status).toBe(201)
  expect((await user.call('PUT', '/api/v1/workflows/variables/mine', { body: { value: name } })).status).toBe(201)
  const draft = { name: 'Kept under a key', definition: { nodes: [], edges: [] } }
  await linkSupabase(user)
  const keyed = await user.call('POST', '/api/v1/workflows', { body: draft, headers: { 'idempotency-key': `"${name}-1"` } })
  expect(keyed.status).toBe(201)
  const key = await user.call('POST', '/api/v1/auth/api-keys', { body: { name, permissions: ['workflows:read'] } })
  expect(key.status).toBe(201)
  const elsewhere = { authorization_url: 'https://other.example/authorize', token_url: 'https://other.example/token', client_id: name }
  const integration = { type: 'oauth2', name, config: { grant: 'authorization_code', ...elsewhere } }
  const connected = await user.call('POST', '/api/v1/users/integrations', { body: integration })
  const consent = await user.call('POST', `/api/v1/users/integrations/${connected.body.id}/oauth/start`, { body: {} })
  expect([connected.status, consent.status]).toEqual([201, 200])
  const hook = await mill.call('POST', `/hooks/${name}/${name}`, { body: { sacks: 3 }, headers: { 'x-delivery': 'one' } })
  expect(hook.status).toBeLessThan(300)
  const twice = await mill.call('POST', `/hooks/${name}/${name}`, { body: { sacks: 3 }, headers: { 'x-delivery': 'one' } })
  expect(twice.status).toBeLessThan(300)
  await mill.app.use(requestKeeper).flush()
  const caller = await publish(user, {
    nodes: [manual, { id: 'call', type: 'flow.call', config: { workflow_id: hooked, input: { body: {} } } }],
    edges: [{ from: 'start', to: 'call' }],
  })
  const called = await user.call('POST', `/api/v1/workflows/${caller}/execute`, { body: { wait_ms: 10_000 } })
  expect(called.body).toMatchObject({ status: 'succeeded' })
  expect((await user.call('POST', `/api/v1/workflows/executions/${called.body.id}/fork`, { body: {} })).status).toBe(202)
  expect((await user.call('POST', '/api/v1/workflows/executions/bulk/retry', { body: { ids: [called.body.id] } })).status).toBe(202)
  const ask = { id: 'ask', type: 'flow.approval', config: { approvers: [user.id], needed: 1, message: 'Go on?' } }
  const asking = await publish(user, { nodes: [manual, ask], edges: [{ from: 'start', to: 'ask' }] })
  expect((await user.call('POST', `/api/v1/workflows/${asking}/execute`, { body: {} })).status).toBe(202)
  await vi.waitFor(async () => {
    const { body } = await user.call('GET', '/api/v1/workflows/approvals')
    const decided = await user.call('POST', `/api/v1/workflows/approvals/${body.items[0].id}/decide`, { body: { decision: 'approve' } })
    expect(decided.status).toBe(200)
  })
  const wait = { id: 'wait', type: 'flow.wait', config: { webhook: true } }
  const waiting = await publish(user, { nodes: [manual, wait], edges: [{ from: 'start', to: 'wait' }] })
  expect((await user.call('POST', `/api/v1/workflows/${waiting}/execute`, { body: {} })).status).toBe(202)
  const limited = await publish(user, { nodes: [manual], edges: [], settings: { rate_limit: { limit: 1, per_ms: 3_600_000 } } })
  expect((await user.call('POST', `/api/v1/workflows/${limited}/execute`, { body: { wait_ms: 10_000 } })).status).toBe(200)
  await checkFor(mill.app, user.workspace_id, { feature: 'executions', amount: 80_000 })
  await mill.app.use(notices).settled()
  await addPasskey(user, createAuthenticator({ origin }))
  await setUpTotp(user, Date.now())
  await challengeOf(mill, user)
  // Nobody is invited to a personal workspace; from here on it is a team's.
  await mill.database.owner`update workspaces set personal_of = null where id = ${user.workspace_id}`
  const invitation = { email: `friend-of-${name}@example.org`, role: 'viewer' }
  const invited = await user.call('POST', `/api/v1/workspaces/${user.workspace_id}/invitations`, { body: invitation })
  expect(invited.status).toBe(201)
  expect((await user.call('POST', '/api/v1/users/profile/exports')).status).toBe(202)
  await vi.waitFor(async () => {
    const [row] = await mill.database
      .owner`select count(*)::int as n from executions where workspace_id = ${user.workspace_id} and finished_at is not null`
    expect(row?.['n']).toBeGreaterThan(0)
    const entered = await mill.database.owner`select from audit_entries where workspace_id = ${user.workspace_id} limit 1`
    expect(entered).toHaveLength(1)
  })
}
await workFor(anna, 'anna')
await workFor(ben, 'ben')
await summarise(mill.app.asSystem('a test'))

test('everything in the catalogue is under row-level security', async () => {
  expect(await findUnprotected(mill.database.owner)).toEqual([])
})

await denialSuite({
  database: mill.database,
  a: { user_id: anna.id, workspace_id: anna.workspace_id },
  b: { user_id: ben.id, workspace_id: ben.workspace_id },
})
