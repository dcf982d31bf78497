import { expect, test } from 'vitest'
import { manualClock } from '../../../platform/clock.ts'
import { scenario } from '../../../platform/testing/scenario.ts'
import { testApp, type TestApp, type TestAppOptions } from '../../../test-app.ts'
import { setupLink } from '../identity.ts'

const password = 'violet-umbrella-39-harbour'
let addresses = 0
const elsewhere = () => ({ 'x-forwarded-for': `198.19.${(addresses += 1) >> 8}.${addresses & 255}` })

const withMill = (options: TestAppOptions, work: (mill: TestApp) => Promise<void>) => async (): Promise<void> => {
  const mill = await testApp(options)
  try {
    await work(mill)
  } finally {
    await mill.close()
  }
}

const tokenOf = async (mill: TestApp): Promise<string> => new URL((await setupLink(mill.app)) as string).searchParams.get('token') as string
const setUp = (mill: TestApp, body: object) => mill.call('POST', '/api/v1/auth/setup', { body, headers: elsewhere() })

test(
  'the one-time link makes the first admin, once',
  withMill({}, async (mill) => {
    const link = (await setupLink(mill.app)) as string
    expect(link).toMatch(new RegExp(`^${mill.url}/setup\\?token=mlrs_[\\w-]{43}$`))
    const token = new URL(link).searchParams.get('token') as string
    const older = await tokenOf(mill)
    const reply = await scenario(mill, {
      when: () => setUp(mill, { token, email: 'admin@example.org', password, name: 'Ada' }),
      status: 201,
      body: { user: { email: 'admin@example.org', role: 'admin', name: 'Ada' } },
      events: ['users.registered', 'workspaces.created', 'workspaces.member.added', 'identity.session.created'],
    })
    expect(await mill.as(reply.body)('GET', '/health/detailed')).not.toMatchObject({ status: 403 })
    for (const used of [token, older, 'mlrs_guess']) {
      await scenario(mill, {
        when: () => setUp(mill, { token: used, email: 'second@example.org', password }),
        status: 409,
        body: { code: 'auth.setup_done' },
        events: [],
      })
    }
    expect(await setupLink(mill.app)).toBe(null)
    const rows = await mill.database.owner`select * from setup_tokens`
    expect(rows.length).toBe(0)
  }),
)

test(
  'a set-up that is repeated with one Idempotency-Key, because its reply was lost, is answered as the first time',
  withMill({}, async (mill) => {
    const headers = { ...elsewhere(), 'idempotency-key': '"set-up-once"' }
    const body = { token: await tokenOf(mill), email: 'admin@example.org', password }
    const [first, second] = [
      await mill.call('POST', '/api/v1/auth/setup', { body, headers }),
      await mill.call('POST', '/api/v1/auth/setup', { body, headers }),
    ]
    expect([first.status, second.status, second.body]).toEqual([201, 201, first.body])
  }),
)

test(
  'of fifty that use links at once, one becomes the admin',
  withMill({}, async (mill) => {
    const tokens = [await tokenOf(mill), await tokenOf(mill)]
    const replies = await Promise.all(
      Array.from({ length: 50 }, (_, n) => setUp(mill, { token: tokens[n % 2], email: `admin${n}@example.org`, password })),
    )
    expect(replies.filter(({ status }) => status === 201).length).toBe(1)
    for (const { status } of replies) expect([201, 401, 409, 503]).toContain(status)
    const [row] = await mill.database.owner`select count(*) filter (where role = 'admin') as admins, count(*) as users from users`
    expect(row).toMatchObject({ admins: 1, users: 1 })
  }),
)

const clock = manualClock(Date.UTC(2026, 10, 20))
test(
  'a wrong, old or malformed token makes nobody',
  withMill({ clock }, async (mill) => {
    const token = await tokenOf(mill)
    expect((await mill.database.owner`select token_hash from setup_tokens`).map(({ token_hash }) => token_hash as string)).not.toContain(
      token,
    )
    for (const body of [
      {},
      { token },
      { token, email: 'a@example.org', password, role: 'admin' },
      { token: 7, email: 'a@example.org', password },
    ]) {
      expect(await setUp(mill, body)).toMatchObject({ status: 422 })
    }
    expect(await setUp(mill, { token, email: 'a@example.org', password: 'password1234' })).toMatchObject({
      status: 422,
      body: { code: 'auth.password_weak' },
    })
    expect(await setUp(mill, { token: `${token}x`, email: 'a@example.org', password })).toMatchObject({
      status: 401,
      body: { code: 'auth.setup_invalid' },
    })
    clock.advance(86_400_000)
    await scenario(mill, {
      when: () => setUp(mill, { token, email: 'a@example.org', password }),
      status: 401,
      body: { code: 'auth.setup_invalid' },
      events: [],
    })
    expect(await setUp(mill, { token: await tokenOf(mill), email: 'a@example.org', password })).toMatchObject({ status: 201 })
  }),
)

test(
  'a registered user is no admin, and the link stays',
  withMill({}, async (mill) => {
    const user = await mill.register()
    expect(await user.call('GET', '/api/v1/users/profile')).toMatchObject({ body: { role: 'user' } })
    expect(await setupLink(mill.app)).not.toBe(null)
  }),
)

test(
  'the page behind the link runs its own script and nothing else, and says nothing about the token',
  withMill({}, async (mill) => {
    const [good, bad] = [
      await mill.call('GET', `/setup?token=${await tokenOf(mill)}`),
      await mill.call('GET', '/setup?token=<script>alert(1)</script>'),
    ]
    expect(good.status).toBe(200)
    expect(good.headers.get('content-type')).toBe('text/html; charset=utf-8')
    expect(good.body).toBe(bad.body)
    const policy = good.headers.get('content-security-policy') as string
    expect(policy).toMatch(/default-src 'none'/)
    expect(policy).not.toMatch(/unsafe/)
    const { createHash } = await import('node:crypto')
    for (const tag of ['script', 'style']) {
      const inline = new RegExp(`<${tag}>([^]*?)</${tag}>`).exec(good.body)?.[1] as string
      expect(policy).toContain(`${tag}-src 'sha256-${createHash('sha256').update(inline).digest('base64')}'`)
    }
    expect(good.headers.get('cache-control')).toBe('no-store')
    expect(good.headers.get('referrer-policy')).toBe('no-referrer')
    expect(await mill.call('POST', '/setup')).toMatchObject({ status: 405 })
  }),
)

const env = { MILLRACE_ADMIN_EMAIL: 'Boss@Example.org', MILLRACE_ADMIN_PASSWORD: password }
test(
  'the configuration can name the admin, who is there at the start',
  withMill({ env }, async (mill) => {
    expect((await mill.events()).map(({ name }) => name)).toEqual(['users.registered', 'workspaces.created', 'workspaces.member.added'])
    expect(await setupLink(mill.app)).toBe(null)
    const reply = await mill.call('POST', '/api/v1/auth/login', { body: { email: 'boss@example.org', password } })
    expect(reply).toMatchObject({ status: 200, body: { user: { role: 'admin' } } })
  }),
)

test(
  'an account that exists is not changed by what the configuration says',
  withMill({ env: { MILLRACE_SECRET_KEY: Buffer.alloc(32, 7).toString('base64') } }, async (mill) => {
    const user = await mill.register('boss')
    const again = await testApp({ env: { ...env, MILLRACE_SECRET_KEY: Buffer.alloc(32, 7).toString('base64') }, beside: mill })
    try {
      expect(await user.call('GET', '/api/v1/users/profile')).toMatchObject({
        status: 200,
        body: { email: 'boss@example.org', role: 'user' },
      })
      expect(await mill.call('POST', '/api/v1/auth/login', { body: { email: 'boss@example.org', password } })).toMatchObject({
        status: 401,
      })
      expect(await mill.call('POST', '/api/v1/auth/login', { body: { email: 'boss@example.org', password: user.password } })).toMatchObject(
        { status: 200 },
      )
    } finally {
      await again.close()
    }
  }),
)

test.each([
  [{ MILLRACE_ADMIN_EMAIL: 'boss@example.org' }, /MILLRACE_ADMIN_PASSWORD is not set/],
  [{ MILLRACE_ADMIN_PASSWORD: password }, /MILLRACE_ADMIN_EMAIL is not set/],
  [{ MILLRACE_ADMIN_EMAIL: 'boss@example.org', MILLRACE_ADMIN_PASSWORD: 'password1234' }, /MILLRACE_ADMIN_PASSWORD is refused: .*common/],
  [{ MILLRACE_ADMIN_EMAIL: 'boss', MILLRACE_ADMIN_PASSWORD: password }, /MILLRACE_ADMIN_EMAIL is not an e-mail address/],
])('a start with %j says what is wrong', async (wrong, message) => {
  await expect(testApp({ env: wrong })).rejects.toThrow(message)
})

test(
  'where registration is closed, nobody registers and the set-up still works',
  withMill({ env: { MILLRACE_REGISTRATION: 'closed' } }, async (mill) => {
    const reply = await mill.call('POST', '/api/v1/auth/register', { body: { email: 'a@example.org', password } })
    expect(reply).toMatchObject({ status: 403, body: { code: 'auth.registration_closed' } })
    expect((await mill.admin()).email).toBe('admin@example.org')
  }),
)

test(
  'new accounts get the plan that the configuration says',
  withMill({ env: { MILLRACE_DEFAULT_PLAN: 'free' } }, async (mill) => {
    expect(await (await mill.register()).call('GET', '/api/v1/users/profile')).toMatchObject({ body: { plan: 'free' } })
  }),
)
