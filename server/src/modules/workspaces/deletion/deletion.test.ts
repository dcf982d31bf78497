import { createServer, type IncomingMessage } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { afterAll, expect, test } from 'vitest'
import { jobs, jobState } from '../../../engine/jobs.ts'
import { listTables } from '../../../platform/testing/catalogue.ts'
import { testApp, type TestUser } from '../../../test-app.ts'
import { manual, publish, requestDefinition, webhookDefinition } from '../../workflows/definitions.testing.ts'
import { makeTeam, type Team } from '../team.testing.ts'
import { withdraw } from '../workspaces.ts'
import { tidy } from './purge.ts'

const day_ms = 86_400_000
let ahead_ms = 0
/** Runs, and can be put forward. */
const clock = { now: () => Date.now() + ahead_ms }
const mill = await testApp({ clock, env: { MILLRACE_OUTBOUND_ALLOW: '127.0.0.1' } })
const second = await testApp({ beside: mill, clock })
afterAll(async () => {
  await second.close()
  await mill.close()
})
const [olga, adam, mia] = (await Promise.all(['olga', 'adam', 'mia'].map((name) => mill.register(name)))) as [TestUser, TestUser, TestUser]
const soon = { timeout: 1_000 }
const gone = { status: 404, body: { code: 'workspaces.not_found' } }

/** Olga owns it, Adam is an admin, Mia a member; it has a webhook at `/hooks/<slug>/orders`. */
const workingTeam = async (name: string): Promise<Team & { readonly hook: string }> => {
  const team = await makeTeam(mill, olga, name)
  await team.join(adam, 'admin')
  await team.join(mia, 'member')
  await publish(within(olga, team), webhookDefinition('orders'))
  const { body } = await team.as(olga)('GET')
  return { ...team, hook: `/hooks/${body.slug}/orders` }
}

/** A user whose requests act in a workspace. */
const within = (user: TestUser, team: { readonly id: string }): TestUser => ({
  ...user,
  workspace_id: team.id,
  call: (method, path, request) => user.call(method, path, { ...request, headers: { ...request?.headers, 'x-workspace-id': team.id } }),
})

/** Runs the job, beside which the hourly one may be running: the clock is put forward here. */
const runTidy = async (): Promise<void> => {
  const { execution_id } = await mill.app.use(jobs).start({ job: tidy, workspace_id: null, input: {} })
  const state = () => jobState(mill.app.asSystem('a test looks'), tidy, execution_id)
  await expect.poll(async () => (await state())?.status, { timeout: 10_000 }).toBe('succeeded')
}
const signInAgain = async (user: TestUser): Promise<TestUser> => {
  const { body } = await mill.call('POST', '/api/v1/auth/login', { body: { email: user.email, password: user.password } })
  return { ...user, ...body, call: mill.as(body) }
}
const mailsTo = async (email: string) =>
  (await mill.database.owner`select kind from mails where recipient = ${email} order by id`).map(({ kind }) => kind as string)

test('a deleted workspace is nobody’s at once, on every process, and comes back as it was', async () => {
  const team = await workingTeam('Coming back')
  const there = (user: TestUser) => second.as(user)('GET', `/api/v1/workspaces/${team.id}`)
  for (const user of [olga, adam, mia]) expect(await there(user)).toMatchObject({ status: 200 })
  await expect.poll(() => second.call('POST', team.hook), soon).toMatchObject({ status: 200 })
  await team.as(olga)('PUT', `/members/${adam.id}`, { role: 'owner' })

  for (const user of [mia]) expect(await team.as(user)('DELETE')).toMatchObject({ status: 403 })
  const stale = await olga.call('DELETE', `/api/v1/workspaces/${team.id}`, { headers: { 'if-match': '"7"' } })
  expect(stale).toMatchObject({ status: 412 })
  const deleted = await team.as(olga)('DELETE')
  expect(deleted).toMatchObject({ status: 200, body: { id: team.id, deleted_at: expect.any(String), purge_at: expect.any(String) } })
  expect(Date.parse(deleted.body.purge_at) - Date.parse(deleted.body.deleted_at)).toBe(30 * day_ms)
  for (const user of [olga, adam, mia]) {
    for (const [method, path, body] of [
      ['GET', ''],
      ['GET', '/members'],
      ['PUT', '', { name: 'x' }],
      ['DELETE', ''],
      ['POST', '/leave'],
    ] as const)
      expect(await team.as(user)(method, path, body), `${method} ${path}`).toMatchObject(gone)
    expect(await within(user, team).call('GET', '/api/v1/workflows')).toMatchObject(gone)
    expect((await user.call('GET', '/api/v1/workspaces')).body.items.map(({ id }: { id: string }) => id)).not.toContain(team.id)
    await expect.poll(() => there(user), soon).toMatchObject(gone)
  }
  expect(await mill.call('POST', team.hook)).toMatchObject({ status: 404, body: { code: 'workflows.hook_not_found' } })
  await expect.poll(() => second.call('POST', team.hook), soon).toMatchObject({ status: 404 })
  for (const user of [olga, adam]) {
    const { body } = await user.call('GET', '/api/v1/workspaces?deleted=true&total=true')
    expect(body).toMatchObject({ total: 1, items: [{ id: team.id, role: 'owner', purge_at: deleted.body.purge_at }] })
    expect(await mailsTo(user.email)).toContain('workspaces.deleted')
  }
  expect((await mia.call('GET', '/api/v1/workspaces?deleted=true')).body.items).toEqual([])
  const stranger = await mill.register()
  for (const user of [mia, stranger]) expect(await team.as(user)('POST', '/restore')).toMatchObject(gone)
  expect(await stranger.call('POST', '/api/v1/workspaces', { body: { name: 'x', slug: 'coming-back' } })).toMatchObject({ status: 409 })

  expect(await team.as(adam)('POST', '/restore')).toMatchObject({ status: 200, body: { deleted_at: null, purge_at: null, role: 'owner' } })
  expect(await team.as(adam)('POST', '/restore')).toMatchObject({ status: 409, body: { code: 'workspaces.not_deleted' } })
  expect(await team.as(stranger)('POST', '/restore')).toMatchObject(gone)
  expect(await mill.call('POST', team.hook)).toMatchObject({ status: 200 })
  await expect.poll(() => second.call('POST', team.hook), soon).toMatchObject({ status: 200 })
  for (const user of [olga, adam, mia]) {
    expect(await team.as(user)('GET')).toMatchObject({ status: 200 })
    await expect.poll(() => there(user), soon).toMatchObject({ status: 200 })
  }
  expect(
    (await mill.events())
      .filter(({ name }) => /^workspaces\.(deleted|restored)$/.test(name))
      .map(({ name, data, actor }) => [name, data, actor.id]),
  ).toEqual([
    ['workspaces.deleted', { workspace_id: team.id, purge_at: deleted.body.purge_at }, olga.id],
    ['workspaces.restored', { workspace_id: team.id }, adam.id],
  ])
})

test('an API key of a deleted workspace opens nothing', async () => {
  const team = await workingTeam('Keys')
  const { body } = await within(olga, team).call('POST', '/api/v1/auth/api-keys', { body: { name: 'k', permissions: ['workflows:read'] } })
  const list = () => mill.call('GET', '/api/v1/workflows', { headers: { 'x-api-key': body.key } })
  expect(await list()).toMatchObject({ status: 200 })
  await team.as(olga)('DELETE')
  expect(await list()).toMatchObject({ status: 401 })
  await team.as(olga)('POST', '/restore')
  expect(await list()).toMatchObject({ status: 200 })
})

test('a personal workspace is not deleted', async () => {
  expect(await olga.call('DELETE', `/api/v1/workspaces/${olga.workspace_id}`)).toMatchObject({
    status: 409,
    body: { code: 'workspaces.personal' },
  })
})

test('who owns as many workspaces as their plan gives restores no further one', async () => {
  const owner = await mill.register()
  const team = await makeTeam(mill, owner)
  await team.as(owner)('DELETE')
  await mill.database.owner`update users set plan = 'free' where id = ${owner.id}`
  await makeTeam(mill, owner)
  expect(await team.as(owner)('POST', '/restore')).toMatchObject({
    status: 402,
    body: { code: 'plans.limit_reached', feature: 'workspaces' },
  })
})

/** How many rows each table has of a workspace; tables without any are left out. */
const rowsOf = async (workspace_id: string): Promise<{ [table: string]: number }> => {
  const { owner } = mill.database
  const found: { [table: string]: number } = {}
  for (const { name, columns } of await listTables(owner)) {
    if (!columns.includes('workspace_id')) continue
    const [row] = await owner.unsafe(`select count(*)::int as n from ${name} where workspace_id = $1`, [workspace_id])
    if (row?.['n'] > 0) found[name] = row?.['n']
  }
  return found
}

/** Mails go by their own age; the audit is what outlasts everything. */
const leftOf = async (workspace_id: string): Promise<string[]> =>
  Object.keys(await rowsOf(workspace_id)).filter((table) => !['audit_entries', 'mails'].includes(table))

/** An hour later nothing is left. */
const goneSoon = async (workspace_id: string): Promise<void> => {
  ahead_ms += 3_700_000
  await expect.poll(() => runTidy().then(() => leftOf(workspace_id)), { timeout: 10_000 }).toEqual([])
}

test('after its grace a workspace is gone for good, with all that was in it', async () => {
  const team = await workingTeam('Over')
  const { body: other } = await olga.call('POST', '/api/v1/workspaces', { body: { name: 'Stays' } })
  await publish(within(olga, other), webhookDefinition('orders'))
  await mill.call('POST', '/hooks/stays/orders')
  await team.as(olga)('POST', '/invitations', { email: 'x@example.org', role: 'viewer' })
  await within(olga, team).call('POST', '/api/v1/auth/api-keys', { body: { name: 'k', permissions: ['workflows:read'] } })
  for (let call = 0; call < 3; call += 1) expect(await mill.call('POST', team.hook)).toMatchObject({ status: 200 })
  const before = await rowsOf(other.id)
  expect(Object.keys(await rowsOf(team.id))).toEqual(
    expect.arrayContaining([
      'api_keys',
      'events',
      'execution_records',
      'executions',
      'workflows',
      'workspace_invitations',
      'workspace_slugs',
    ]),
  )
  await team.as(olga)('DELETE')
  await runTidy()
  expect(await rowsOf(team.id)).toMatchObject({ workflows: 1 })
  ahead_ms += 30 * day_ms
  await goneSoon(team.id)
  expect(await rowsOf(other.id)).toMatchObject(before)
  const again = await signInAgain(olga)
  expect((await again.call('GET', '/api/v1/workspaces?deleted=true')).body.items).toEqual([])
  expect(await team.as(again)('POST', '/restore')).toMatchObject(gone)
  expect(await again.call('POST', '/api/v1/workspaces', { body: { name: 'Next', slug: 'over' } })).toMatchObject({ status: 201 })
  expect((await mill.events()).findLast(({ name }) => name === 'workspaces.purged')).toMatchObject({
    workspace_id: null,
    data: { workspace_id: team.id },
  })
})

test('what is still being executed when the grace is over is cancelled first', async () => {
  const held = createServer(() => undefined).listen(0, '127.0.0.1')
  await once(held, 'listening')
  const url = `http://127.0.0.1:${(held.address() as AddressInfo).port}/`
  try {
    const owner = await signInAgain(olga)
    const team = await makeTeam(mill, owner, 'Busy')
    const id = await publish(within(owner, team), requestDefinition(manual, url, { timeout_ms: 600_000 }))
    const started = once(held, 'request') as Promise<[IncomingMessage]>
    expect(await within(owner, team).call('POST', `/api/v1/workflows/${id}/execute`, { body: {} })).toMatchObject({ status: 202 })
    const [request] = await started
    const cut_off = once(request.socket, 'close')
    await team.as(owner)('DELETE')
    await runTidy()
    expect(request.socket.destroyed).toBe(false)
    ahead_ms += 30 * day_ms
    await expect.poll(() => runTidy().then(() => rowsOf(team.id)), { timeout: 10_000 }).not.toHaveProperty('executions')
    await cut_off
    // How it ended is an event that consumers have an hour to read.
    expect(await rowsOf(team.id)).toHaveProperty('events')
    await goneSoon(team.id)
    expect(await team.as(await signInAgain(owner))('POST', '/restore')).toMatchObject(gone)
  } finally {
    held.closeAllConnections()
    held.close()
  }
})

test('with an account that is erased its workspaces go to who is there longest, or go', async () => {
  const owner = await mill.register('leaving')
  const [first, admin, lone] = [await mill.register(), await mill.register(), await makeTeam(mill, owner, 'Lone')]
  const team = await makeTeam(mill, owner, 'Inherited')
  await team.join(first, 'member')
  await team.join(admin, 'admin')
  const shared = await makeTeam(mill, owner, 'Shared')
  await shared.join(first, 'owner')
  await shared.join(admin, 'admin')
  await publish(owner, webhookDefinition('mine'))
  const ctx = mill.app.asSystem('a test erases an account')
  await withdraw(ctx, owner.id)
  await withdraw(ctx, owner.id)
  expect(await team.as(admin)('GET')).toMatchObject({ status: 200, body: { role: 'owner' } })
  expect(await mailsTo(admin.email)).toContain('workspaces.owner')
  expect(await shared.as(admin)('GET')).toMatchObject({ body: { role: 'admin' } })
  expect(await mill.call('POST', '/hooks/leaving/mine')).toMatchObject({ status: 404 })
  await mill.database.owner`delete from users where id = ${owner.id}`
  await runTidy()
  expect(await leftOf(owner.workspace_id)).toContain('events')
  for (const id of [owner.workspace_id, lone.id]) await goneSoon(id)
})

test('an account that is erased takes its personal workspace along, and leaves the others to those who stay', async () => {
  const admin = await mill.admin()
  const owner = await mill.register('forgotten')
  const friend = await mill.register('friend')
  await publish(owner, webhookDefinition('mine'))
  expect(await mill.call('POST', '/hooks/forgotten/mine')).toMatchObject({ status: 200 })
  const team = await makeTeam(mill, owner, 'Both')
  await team.join(friend, 'owner')
  await team.as(friend)('POST', '/invitations', { email: 'somebody@example.org', role: 'viewer' })
  expect(await admin.call('DELETE', `/api/v1/users/${owner.id}`)).toMatchObject({ status: 202 })
  await expect.poll(() => mill.call('POST', '/hooks/forgotten/mine'), { timeout: 5_000 }).toMatchObject({ status: 404 })
  await expect.poll(() => team.as(friend)('GET', '/members?total=true')).toMatchObject({ status: 200, body: { total: 1 } })
  await goneSoon(owner.workspace_id)
})

test('a workspace that has lost its owners in any other way gets one', async () => {
  const owner = await mill.register()
  const team = await makeTeam(mill, owner, 'Orphan')
  const heir = await mill.register()
  await team.join(heir, 'viewer')
  await mill.database.owner`delete from users where id = ${owner.id}`
  await runTidy()
  await expect.poll(() => team.as(heir)('GET')).toMatchObject({ status: 200, body: { role: 'owner' } })
  await goneSoon(owner.workspace_id)
})
