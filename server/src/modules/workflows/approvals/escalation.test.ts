import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { JsonObject } from '../../../lib/json.ts'
import { type TestApp, testApp, type TestReply, type TestUser } from '../../../test-app.ts'
import { testDatabase } from '../../../platform/testing/test-database.ts'
import { create, manual, publish } from '../definitions.testing.ts'

let mill: TestApp
let owner: TestUser
let ahead = 0
const clock = { now: () => Date.now() + ahead }
/** Calls of each member within the workspace of the first. */
let calls: readonly TestUser['call'][]
let emails: readonly string[]
let ids: readonly string[]

beforeAll(async () => {
  mill = await testApp({ clock })
  owner = await mill.register('owner')
  const users = [owner, await mill.register('anna'), await mill.register('ben')]
  for (const { id } of users.slice(1))
    await mill.database.owner`
      insert into workspace_members (workspace_id, user_id, role, created_at)
      values (${owner.workspace_id}, ${id}, 'viewer', now())`
  await mill.database.owner`update workspaces set personal_of = null where id = ${owner.workspace_id}`
  await mill.database.owner`update users set email_verified = true`
  const signIns = users.map(({ email, password }) => mill.call('POST', '/api/v1/auth/login', { body: { email, password } }))
  const replies = await Promise.all(signIns)
  calls = replies.map(({ body }) => {
    const call = mill.as({ access_token: body.access_token as string })
    const within: TestUser['call'] = (method, path, request = {}) =>
      call(method, path, { ...request, headers: { ...request.headers, 'x-workspace-id': owner.workspace_id } })
    return within
  })
  emails = users.map(({ email }) => email)
  ids = users.map(({ id }) => id)
})
afterAll(() => mill.close())

const asking = (config: JsonObject) => ({
  nodes: [
    manual,
    { id: 'ask', type: 'flow.approval', config: { message: 'Pay?', ...config } },
    ...['approved', 'rejected', 'expired'].map((id) => ({ id, type: 'data.set', config: { values: { went: id } } })),
  ],
  edges: [{ from: 'start', to: 'ask' }, ...['approved', 'rejected', 'expired'].map((port) => ({ from: 'ask', port, to: port }))],
})

const approvalOf = async (execution_id: string) => {
  const [row] = await mill.database.owner`select * from workflow_approvals where execution_id = ${execution_id}`
  return row as { id: string; approvers: string[]; escalations: number; escalates_at: string | null } | undefined
}

/** Starts it, and waits until the execution sleeps. */
const asked = async (config: JsonObject): Promise<{ readonly execution_id: string; readonly id: string }> => {
  const workflow_id = await publish(owner, asking(config))
  const { body } = await owner.call('POST', `/api/v1/workflows/${workflow_id}/execute`, { body: {} })
  await sleeps(body.id)
  return { execution_id: body.id, id: (await approvalOf(body.id))?.id as string }
}

const sleeps = (execution_id: string) =>
  vi.waitFor(
    async () => {
      const [row] = await mill.database.owner`select status, wake_at from executions where id = ${execution_id}`
      expect([row?.['status'], row?.['wake_at'] === null]).toEqual(['waiting', false])
    },
    { timeout: 10_000 },
  )

const decide = (member: number, id: string, decision: string): Promise<TestReply> =>
  calls[member]?.('POST', `/api/v1/workflows/approvals/${id}/decide`, { body: { decision } }) as Promise<TestReply>

const mailsTo = async (email: string): Promise<number> =>
  (await mill.database.owner`select from mails where kind = 'workflows.approval' and recipient = ${email}`).length

const escalated = (execution_id: string, times: number) =>
  vi.waitFor(async () => expect((await approvalOf(execution_id))?.escalations).toBe(times), { timeout: 20_000 })

/** Short enough for the access tokens of all tests. */
const patience = 20_000

test('when nobody has decided in time others are asked, by mail and in their list, and what both say counts', async () => {
  const config = {
    approvers: [emails[0] as string, emails[1] as string],
    needed: 2,
    escalate: { after_ms: patience, to: [emails[2] as string] },
  }
  const { execution_id, id } = await asked(config)
  const [before, mine] = await Promise.all([mailsTo(emails[2] as string), calls[2]?.('GET', '/api/v1/workflows/approvals')])
  expect(mine?.body.items).toEqual([])
  expect((await decide(2, id, 'approve')).status).toBe(404)
  expect((await decide(1, id, 'approve')).body).toMatchObject({ status: 'open', escalations: 0, escalates_at: expect.any(String) })
  ahead += patience + 1_000
  await escalated(execution_id, 1)
  expect(await mailsTo(emails[2] as string)).toBe(before + 1)
  const list = await calls[2]?.('GET', '/api/v1/workflows/approvals')
  expect(list?.body.items).toMatchObject([{ id, escalations: 1, escalates_at: null, approvers: [...ids] }])
  const told = (await mill.events()).filter(({ name }) => name === 'workflows.approval.escalated')
  expect(told.map(({ data }) => data)).toEqual([{ approval_id: id, execution_id, approvers: [ids[2]], time: 1 }])
  await sleeps(execution_id)
  expect((await decide(2, id, 'approve')).body).toMatchObject({ status: 'approved' })
  await vi.waitFor(async () => {
    const { body } = await owner.call('GET', `/api/v1/workflows/executions/${execution_id}`)
    expect(body).toMatchObject({ status: 'succeeded', output: { went: 'approved' } })
  })
})

test('what was decided is not escalated', async () => {
  const { execution_id, id } = await asked({
    approvers: [emails[0] as string],
    escalate: { after_ms: patience, to: [emails[1] as string] },
  })
  const mails = await mailsTo(emails[1] as string)
  expect((await decide(0, id, 'reject')).body).toMatchObject({ status: 'rejected', escalates_at: null })
  ahead += patience + 1_000
  await vi.waitFor(async () => {
    const { body } = await owner.call('GET', `/api/v1/workflows/executions/${execution_id}`)
    expect(body).toMatchObject({ status: 'succeeded', output: { went: 'rejected' } })
  })
  expect([(await approvalOf(execution_id))?.escalations, await mailsTo(emails[1] as string)]).toEqual([0, mails])
})

test('it is repeated so often, and expires when its time is over', async () => {
  const to = [emails[1] as string, 'nobody@example.org']
  const { execution_id } = await asked({
    approvers: [emails[0] as string],
    expires_ms: 4 * patience,
    escalate: { after_ms: patience, to, repeat: 1 },
  })
  const mails = await mailsTo(emails[1] as string)
  ahead += patience + 1_000
  await escalated(execution_id, 1)
  await sleeps(execution_id)
  ahead += patience + 1_000
  await escalated(execution_id, 2)
  await sleeps(execution_id)
  expect(await approvalOf(execution_id)).toMatchObject({ escalates_at: null, approvers: [ids[0], ids[1]] })
  expect(await mailsTo(emails[1] as string)).toBe(mails + 2)
  ahead += 2 * patience
  await vi.waitFor(
    async () => {
      const { body } = await owner.call('GET', `/api/v1/workflows/executions/${execution_id}`)
      expect(body).toMatchObject({ status: 'succeeded', output: { went: 'expired' } })
    },
    { timeout: 20_000 },
  )
})

test('it is escalated by whichever server runs by then, and when those who were asked first have left', async () => {
  const database = await testDatabase()
  const on = { clock, beside: { database } as TestApp }
  const first = await testApp(on)
  const [ada, ben] = [await first.register('ada'), await first.register('ben')]
  await database.owner`
    insert into workspace_members (workspace_id, user_id, role, created_at)
    values (${ada.workspace_id}, ${ben.id}, 'viewer', now())`
  const config = { approvers: [ben.email], escalate: { after_ms: patience, to: [ada.email] } }
  const workflow_id = await publish(ada, asking(config))
  const { body } = await ada.call('POST', `/api/v1/workflows/${workflow_id}/execute`, { body: {} })
  await vi.waitFor(async () => {
    const [row] = await database.owner`select status, wake_at from executions where id = ${body.id}`
    expect([row?.['status'], row?.['wake_at'] === null]).toEqual(['waiting', false])
  })
  await first.close()
  await database.owner`delete from workspace_members where user_id = ${ben.id} and workspace_id = ${ada.workspace_id}`
  ahead += 2 * patience
  const second = await testApp(on)
  try {
    const call = second.as(ada)
    await vi.waitFor(
      async () => expect((await call('GET', '/api/v1/workflows/approvals')).body.items).toMatchObject([{ escalations: 1 }]),
      { timeout: 20_000 },
    )
    const [row] = await database.owner`select id from workflow_approvals`
    const decided = await call('POST', `/api/v1/workflows/approvals/${row?.['id']}/decide`, { body: { decision: 'approve' } })
    expect(decided.body).toMatchObject({ status: 'approved' })
  } finally {
    await second.close()
    await database.close()
  }
})

test('one that comes after the end is refused before it is published', async () => {
  const { id } = await create(
    owner,
    asking({ approvers: ['a@example.org'], expires_ms: 5_000, escalate: { after_ms: 5_000, to: ['b@example.org'] } }),
  )
  const checked = await owner.call('POST', `/api/v1/workflows/${id}/check`)
  expect(checked.body.problems).toMatchObject([{ node_id: 'ask', path: '/nodes/1/config/escalate/after_ms' }])
})
