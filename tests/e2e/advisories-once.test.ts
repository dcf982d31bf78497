import { afterAll, expect, test } from 'vitest'
import { setupLink } from '../../server/src/modules/identity/identity.ts'
import { codeOf, setUpTotp } from '../../server/src/modules/identity/mfa/codes.testing.ts'
import { confirmed, linkIn, mailsTo, tokenOf } from '../../server/src/modules/identity/recovery/post.testing.ts'
import { makeTeam } from '../../server/src/modules/workspaces/team.testing.ts'
import { type Call, testApp, type TestReply, type TestUser } from '../../server/src/test-app.ts'
import { fromAnywhere } from './attack.ts'

const mill = await testApp()
// Another process on the same database: what is used up here must be used up there.
const beside = await testApp({ beside: mill })
afterAll(async () => {
  await beside.close()
  await mill.close()
})
const here = fromAnywhere(mill.call)
const there = fromAnywhere(beside.call)
const password = 'a wheel of seven paddles'

const fifty = (send: (call: Call, index: number) => Promise<TestReply>, as?: TestUser): Promise<readonly TestReply[]> => {
  const both = as === undefined ? [here, there] : [fromAnywhere(mill.as(as)), fromAnywhere(beside.as(as))]
  return Promise.all(Array.from({ length: 50 }, (_, index) => send(both[index % 2] as Call, index)))
}

/** One was let through; who came too late was told so, or to come again because there was too much to hash. */
const expectOne = (replies: readonly TestReply[], status: number, late: readonly string[]): void => {
  expect(replies.filter((reply) => reply.status === status).length).toBe(1)
  for (const reply of replies.filter((one) => one.status !== status)) expect([...late, 'identity.busy']).toContain(reply.body.code)
}
const count = (replies: readonly TestReply[], code: string): number => replies.filter(({ body }) => body?.code === code).length

test('of fifty uses of the set-up link at two processes one makes the admin', async () => {
  const token = new URL((await setupLink(mill.app)) as string).searchParams.get('token')
  const replies = await fifty((call, index) =>
    call('POST', '/api/v1/auth/setup', { body: { token, email: `admin${index}@example.org`, password } }),
  )
  expectOne(replies, 201, ['auth.setup_invalid', 'auth.setup_done'])
  expect((await mill.database.owner`select from users where role = 'admin'`).length).toBe(1)
})

test.each([
  {
    kind: 'password_reset',
    ask: (email: string) => here('POST', '/api/v1/auth/password/forgot', { body: { email } }),
    use: (token: string) => (call: Call, index: number) =>
      call('POST', '/api/v1/auth/password/reset', { body: { token, password: `${password} ${index}` } }),
  },
  {
    kind: 'magic_link',
    ask: (email: string) => here('POST', '/api/v1/auth/magic-link', { body: { email } }),
    use: (token: string) => (call: Call) => call('POST', '/api/v1/auth/magic-link/verify', { body: { token } }),
  },
])('of fifty uses of one link ($kind) at two processes one is good', async ({ kind, ask, use }) => {
  const user = await confirmed(mill, kind)
  expect((await ask(user.email)).status).toBe(202)
  expectOne(await fifty(use(await tokenOf(mill, user.email, kind))), 200, ['auth.link_invalid'])
})

test('of fifty uses of the link that sets an account up, and of one that resets its password, at two processes one is good', async () => {
  const admin = (await here('POST', '/api/v1/auth/login', { body: { email: await theAdmin(), password } })).body
  const made = await mill.as(admin)('POST', '/api/v1/users', { body: { email: 'made@example.org' } })
  expect(made.status).toBe(201)
  const setup = await tokenOf(mill, 'made@example.org', 'account_setup')
  expect((await here('POST', '/api/v1/auth/password/forgot', { body: { email: 'made@example.org' } })).status).toBe(202)
  const reset = await tokenOf(mill, 'made@example.org', 'password_reset')
  const replies = await fifty((call, index) =>
    call('POST', '/api/v1/auth/password/reset', { body: { token: index % 4 < 2 ? setup : reset, password: `${password} ${index}` } }),
  )
  // The first of either ends the other.
  expectOne(replies, 200, ['auth.link_invalid'])
  const won = replies.findIndex(({ status }) => status === 200)
  const signed_in = await here('POST', '/api/v1/auth/login', { body: { email: 'made@example.org', password: `${password} ${won}` } })
  expect(signed_in.status).toBe(200)
})
const theAdmin = async (): Promise<string> =>
  (await mill.database.owner<{ email: string }[]>`select email from users where role = 'admin'`)[0]?.email as string

test('of fifty uses of the links that confirm and that change an address at two processes one of each is good', async () => {
  const user = await mill.register('confirming')
  const token = await tokenOf(mill, user.email, 'email_verification')
  expectOne(await fifty((call) => call('POST', '/api/v1/auth/email/verify', { body: { token } }), user), 200, ['auth.link_invalid'])
  const body = { email: 'confirming2@example.org', password: user.password }
  expect((await user.call('POST', '/api/v1/auth/email/change', { body })).status).toBe(202)
  const change = await tokenOf(mill, 'confirming2@example.org', 'email_change')
  const changed = await fifty((call) => call('POST', '/api/v1/auth/email/verify', { body: { token: change } }), user)
  expectOne(changed, 200, ['auth.link_invalid'])
})

test('an invitation that is accepted, declined, taken back, sent again and registered with at once ends in one way', async () => {
  const owner = await mill.register('inviting')
  const team = await makeTeam(mill, owner)
  for (let round = 0; round < 6; round += 1) {
    const guest = await confirmed(mill, `guest${round}`)
    const invitation = (await team.as(owner)('POST', '/invitations', { email: guest.email, role: 'member' })).body
    const mail = (await mailsTo(mill, guest.email)).findLast(({ kind }) => kind === 'workspaces.invitation')
    const { token } = linkIn(mail as NonNullable<typeof mail>)
    const acts: readonly ((call: Call) => Promise<TestReply>)[] = [
      (call) => call('POST', `/api/v1/invitations/${token}/accept`),
      (call) => call('POST', `/api/v1/users/invitations/${invitation.id}/accept`),
      (call) => call('POST', '/api/v1/invitations/sign-in', { body: { token, password: guest.password } }),
      (call) => call('POST', '/api/v1/invitations/decline', { body: { token } }),
      (call) => call('POST', `/api/v1/users/invitations/${invitation.id}/decline`),
      () => team.as(owner)('DELETE', `/invitations/${invitation.id}`),
      (call) => call('POST', '/api/v1/invitations/register', { body: { token, password } }),
    ]
    const replies = await fifty((call, index) => (acts[(index + round) % acts.length] as (typeof acts)[number])(call), guest)
    const of = (which: readonly number[]) =>
      replies.filter((reply, index) => which.includes((index + round) % acts.length) && reply.status === 200).length
    const [joined, ended] = [of([0, 1, 2]), of([3, 4, 5])]
    expect([round, joined + ended]).toEqual([round, 1])
    for (const { status } of replies) expect([200, 401, 403, 404, 409, 429, 503]).toContain(status)
    const members = (await team.as(owner)('GET', '/members')).body.items.map(({ user_id }: { user_id: string }) => user_id)
    expect([round, members.includes(guest.id)]).toEqual([round, joined === 1])
  }
})

test('of fifty who register with one invitation at two processes one does', async () => {
  const owner = await mill.register('hosting')
  const team = await makeTeam(mill, owner)
  await team.as(owner)('POST', '/invitations', { email: 'newcomer@example.org', role: 'member' })
  const [mail] = await mailsTo(mill, 'newcomer@example.org')
  const { token } = linkIn(mail as NonNullable<typeof mail>)
  const replies = await fifty((call) => call('POST', '/api/v1/invitations/register', { body: { token, password } }))
  expectOne(replies, 201, ['workspaces.invitation_not_found', 'users.email_taken'])
  expect((await mill.database.owner`select from users where email = 'newcomer@example.org'`).length).toBe(1)
})

test('a code of the app counts once, through whichever door it comes', async () => {
  const user = await confirmed(mill, 'doors')
  const { secret } = await setUpTotp(user, Date.now() - 30_000)
  const code = codeOf(secret, Date.now())
  const credentials = { email: user.email, password: user.password, code }
  const doors: readonly ((call: Call, index: number) => Promise<TestReply>)[] = [
    (call) => call('POST', '/api/v1/auth/login', { body: credentials }),
    (call) => call('POST', '/api/v1/auth/mfa/recovery-codes', { body: { code } }),
    (call) => call('POST', '/api/v1/auth/passkeys/options', { body: { code } }),
    (call) => call('POST', '/api/v1/users/profile/erase', { body: { code } }),
  ]
  // The last door would end the account, so it is tried when the code has been used.
  const replies = await fifty((call, index) => (doors[index % 2] as (typeof doors)[number])(call, index), user)
  const good = replies.filter(({ status }) => status >= 200 && status < 300)
  expect(good.length).toBe(1)
  expect(
    count(replies, 'auth.mfa_invalid') + count(replies, 'identity.too_many_attempts') + count(replies, 'identity.busy') + good.length,
  ).toBe(50)
  for (const door of doors) expect((await door(fromAnywhere(user.call), 0)).status).toBeGreaterThanOrEqual(400)
  expect((await user.call('GET', '/api/v1/auth/me')).status).toBe(200)
})

test('of fifty uses of one refresh token at two processes one wins, and the session ends', async () => {
  const user = await mill.register('refreshing')
  const { refresh_token } = user
  const replies = await fifty((call) => call('POST', '/api/v1/auth/refresh', { body: { refresh_token } }))
  expectOne(replies, 200, ['auth.refresh_reused', 'auth.session_revoked'])
  expect((await user.call('GET', '/api/v1/auth/me')).status).toBe(401)
})
