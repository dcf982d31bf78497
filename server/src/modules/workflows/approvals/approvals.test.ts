import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { JsonObject } from '../../../lib/json.ts'
import { type TestApp, testApp, type TestReply, type TestUser } from '../../../test-app.ts'
import { manual, publish } from '../definitions.testing.ts'

let mill: TestApp
let beside: TestApp
let owner: TestUser
let members: readonly { readonly user: TestUser; readonly call: TestUser['call'] }[]

beforeAll(async () => {
  mill = await testApp()
  owner = await mill.register('owner')
  const users = [owner, await mill.register('anna'), await mill.register('ben'), await mill.register('cleo')]
  for (const { id } of users.slice(1))
    await mill.database.owner`
      insert into workspace_members (workspace_id, user_id, role, created_at)
      values (${owner.workspace_id}, ${id}, 'viewer', now())`
  await mill.database.owner`update workspaces set personal_of = null where id = ${owner.workspace_id}`
  await mill.database.owner`update users set email_verified = true where id <> ${users[3]?.id ?? ''}`
  beside = await testApp({ beside: mill })
  // Memberships were written past the front door, so sessions that were looked up before do not know them.
  const signIns = users.map(({ email, password }) => mill.call('POST', '/api/v1/auth/login', { body: { email, password } }))
  const tokens = (await Promise.all(signIns)).map(({ body }) => body.access_token as string)
  members = users.map((user, index) => {
    const call = (index % 2 === 0 ? mill : beside).as({ access_token: tokens[index] ?? '' })
    const within: TestUser['call'] = (method, path, request = {}) =>
      call(method, path, { ...request, headers: { ...request.headers, 'x-workspace-id': owner.workspace_id } })
    return { user, call: within }
  })
})
afterAll(async () => {
  await beside.close()
  await mill.close()
})

const asking = (config: JsonObject) => ({
  nodes: [
    manual,
    { id: 'ask', type: 'flow.approval', config: { message: 'Pay {{ trigger.amount }}?', ...config } },
    ...['approved', 'rejected', 'expired'].map((id) => ({
      id,
      type: 'data.set',
      config: { values: { went: id, by: '{{ steps.ask.output.decisions }}' } },
    })),
  ],
  edges: [{ from: 'start', to: 'ask' }, ...['approved', 'rejected', 'expired'].map((port) => ({ from: 'ask', port, to: port }))],
})

const everybody = () => members.map(({ user }) => user.email)

/** Starts it, and waits until it asks. */
const asked = async (config: JsonObject): Promise<{ readonly execution_id: string; readonly approval_id: string }> => {
  const workflow_id = await publish(owner, asking(config))
  const { body } = await owner.call('POST', `/api/v1/workflows/${workflow_id}/execute`, { body: { input: { amount: 7 } } })
  const rows = () => mill.database.owner`select id from workflow_approvals where execution_id = ${body.id}`
  await vi.waitFor(async () => expect(await rows()).toHaveLength(1), { timeout: 10_000 })
  const [row] = await rows()
  return { execution_id: body.id, approval_id: row?.['id'] as string }
}

const decide = (member: number, approval_id: string, body: object): Promise<TestReply> =>
  members[member]?.call('POST', `/api/v1/workflows/approvals/${approval_id}/decide`, { body }) as Promise<TestReply>

const ends = async (execution_id: string) => {
  const read = async () => (await owner.call('GET', `/api/v1/workflows/executions/${execution_id}`)).body
  await vi.waitFor(async () => expect((await read()).finished_at).not.toBeNull(), { timeout: 15_000, interval: 50 })
  return read()
}

test('two of four approve: it goes on, knows who said what, and everybody whose address is confirmed was told by mail', async () => {
  const { execution_id, approval_id } = await asked({ approvers: everybody(), needed: 2 })
  await vi.waitFor(async () =>
    expect((await owner.call('GET', `/api/v1/workflows/executions/${execution_id}`)).body.status).toBe('waiting'),
  )
  const mails = await mill.database
    .owner`select recipient from mails where kind = 'workflows.approval' and workspace_id = ${owner.workspace_id}`
  expect(new Set(mails.map(({ recipient }) => recipient as string))).toEqual(new Set(everybody().slice(0, 3)))
  const waiting = await members[1]?.call('GET', '/api/v1/workflows/approvals')
  expect(waiting?.body.items).toMatchObject([{ id: approval_id, message: 'Pay 7?', needed: 2, status: 'open', decisions: [] }])
  expect((await decide(1, approval_id, { decision: 'approve', comment: 'Fine' })).body).toMatchObject({ status: 'open' })
  expect((await decide(1, approval_id, { decision: 'approve' })).body.code).toBe('workflows.decided_already')
  expect((await decide(2, approval_id, { decision: 'approve' })).body).toMatchObject({ status: 'approved' })
  expect((await decide(3, approval_id, { decision: 'reject' })).body.code).toBe('workflows.approval_closed')
  const { output } = await ends(execution_id)
  expect(output).toMatchObject({
    went: 'approved',
    by: [{ user_id: members[1]?.user.id, comment: 'Fine' }, { user_id: members[2]?.user.id }],
  })
  const told = (await mill.events()).filter(({ name }) => name === 'workflows.approval.decided')
  expect(told.map(({ data }) => (data as { outcome: string | null }).outcome)).toEqual([null, 'approved'])
})

test('it is rejected as soon as not enough are left who could approve', async () => {
  const { execution_id, approval_id } = await asked({ approvers: everybody(), needed: 3 })
  expect((await decide(0, approval_id, { decision: 'reject' })).body).toMatchObject({ status: 'open' })
  expect((await decide(3, approval_id, { decision: 'reject' })).body).toMatchObject({ status: 'rejected' })
  expect((await ends(execution_id)).output).toMatchObject({ went: 'rejected' })
})

test('of all who decide at once, each counts once and one settles it', async () => {
  const { execution_id, approval_id } = await asked({ approvers: everybody(), needed: 1 })
  const replies = await Promise.all(Array.from({ length: 40 }, (_, n) => decide(n % 4, approval_id, { decision: 'approve' })))
  expect(replies.filter(({ status }) => status === 200)).toHaveLength(1)
  expect(replies.filter(({ body }) => body.code === 'workflows.approval_closed')).toHaveLength(39)
  expect((await ends(execution_id)).output.by).toHaveLength(1)
})

test('nobody decides in time: it leaves through expired', async () => {
  const { execution_id, approval_id } = await asked({ approvers: everybody(), expires_ms: 1_000 })
  expect((await ends(execution_id)).output).toMatchObject({ went: 'expired', by: [] })
  expect((await decide(1, approval_id, { decision: 'approve' })).body.code).toBe('workflows.approval_closed')
})

test('who is not asked, a stranger and who is no member any more decide nothing', async () => {
  const stranger = await mill.register('stranger')
  const { approval_id } = await asked({ approvers: [members[1]?.user.id ?? '', members[3]?.user.email ?? ''], needed: 1 })
  expect((await decide(2, approval_id, { decision: 'approve' })).body.code).toBe('workflows.approval_not_found')
  const path = `/api/v1/workflows/approvals/${approval_id}/decide`
  expect((await stranger.call('POST', path, { body: { decision: 'approve' } })).status).toBe(404)
  const left = await owner.call('DELETE', `/api/v1/workspaces/${owner.workspace_id}/members/${members[3]?.user.id}`)
  expect(left.status).toBeLessThan(300)
  expect((await decide(3, approval_id, { decision: 'approve' })).status).toBe(404)
  expect((await decide(1, approval_id, { decision: 'approve' })).status).toBe(200)
})

test('a form is checked, and goes on with the decision', async () => {
  const form = {
    type: 'object',
    properties: { amount: { type: 'integer', minimum: 1, maximum: 10 }, why: { type: 'string' } },
    required: ['amount'],
  }
  const { execution_id, approval_id } = await asked({ approvers: [owner.email], form })
  const wrong: readonly JsonObject[] = [
    {},
    { form: { amount: 11 } },
    { form: { amount: 1.5 } },
    { form: { amount: 1, more: 1 } },
    { form: JSON.parse('{ "amount": 1, "constructor": 1 }') as JsonObject },
  ]
  for (const body of wrong) expect((await decide(0, approval_id, { decision: 'approve', ...body })).status).toBe(422)
  expect((await decide(0, approval_id, { decision: 'approve', form: { amount: 3 } })).status).toBe(200)
  expect((await ends(execution_id)).output.by).toMatchObject([{ form: { amount: 3 } }])
})

test('too few of those who are asked are members: the step fails and says so', async () => {
  const workflow_id = await publish(owner, asking({ approvers: ['nobody@example.org', owner.email], needed: 2 }))
  const { body } = await owner.call('POST', `/api/v1/workflows/${workflow_id}/execute`, { body: { wait_ms: 10_000 } })
  expect(body).toMatchObject({ status: 'failed', error: { node_id: 'ask' } })
})
