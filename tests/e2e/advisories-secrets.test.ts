import { createHash } from 'node:crypto'
import { afterAll, expect, test, vi } from 'vitest'
import { supabase, supabaseToken } from '../../server/src/modules/identity/external/link.testing.ts'
import { codeOf } from '../../server/src/modules/identity/mfa/codes.testing.ts'
import { freePort, linkIn, mailsTo } from '../../server/src/modules/identity/recovery/post.testing.ts'
import { manual, publish, webhookDefinition } from '../../server/src/modules/workflows/definitions.testing.ts'
import { makeTeam } from '../../server/src/modules/workspaces/team.testing.ts'
import { type Call, type TestReply, type TestUser, testApp } from '../../server/src/test-app.ts'
import { each, fromAnywhere, operationsOf, pathOf } from './attack.ts'

// What an operator keeps to themselves. Nothing may repeat it, whoever asks.
const of_operator = {
  smtp_password: 'canary-of-the-post-office-7d1f',
  oidc_secret: 'canary-of-the-provider-2b9c',
  metrics_token: 'canary-of-the-metrics-5e0a',
  supabase_secret: supabase.SUPABASE_JWT_SECRET,
  secret_key: Buffer.alloc(32, 'test').toString('base64'),
}
const lines: string[] = []
const port = await freePort()
const mill = await testApp({
  log_to: { write: (line) => void lines.push(line) },
  env: {
    ...supabase,
    LOG_LEVEL: 'trace',
    // Nobody listens there: mails wait, and each failed delivery is logged.
    SMTP_URL: `smtp://postman:${of_operator.smtp_password}@127.0.0.1:${port}`,
    MILLRACE_METRICS_TOKEN: of_operator.metrics_token,
    MILLRACE_OIDC_PROVIDERS: JSON.stringify([
      { name: 'acme', issuer: `http://localhost:${port}`, client_id: 'millrace', client_secret: of_operator.oidc_secret },
    ]),
  },
})
afterAll(mill.close)

/** Every secret by what it is. */
const secrets = new Map<string, string>(Object.entries(of_operator))
const keep = (name: string, secret: unknown): string => {
  expect(secret, name).toEqual(expect.any(String))
  expect((secret as string).length, name).toBeGreaterThan(5)
  secrets.set(name, secret as string)
  return secret as string
}

interface Said {
  readonly where: string
  readonly text: string
}

/** Which routes hand out which secrets: to nobody but who has shown who they are, and once. */
const handed_out: { readonly [route: string]: RegExp } = {
  'POST /api/v1/auth/register': /token/,
  'POST /api/v1/auth/setup': /token/,
  'POST /api/v1/auth/login': /token|challenge/,
  'POST /api/v1/auth/refresh': /token/,
  'POST /api/v1/auth/magic-link/verify': /token/,
  'POST /api/v1/auth/mfa/verify': /token/,
  'POST /api/v1/invitations/register': /token/,
  'POST /api/v1/auth/api-keys': /key/,
  'POST /api/v1/auth/mfa/totp': /totp/,
  'POST /api/v1/auth/mfa/totp/confirm': /recovery/,
  'POST impersonate': /token/,
}
const routeOf = (method: string, path: string): string =>
  path.endsWith('/impersonate') ? 'POST impersonate' : `${method} ${path.split('?')[0] as string}`

const replies: Said[] = []
const textOf = ({ body, headers }: TestReply): string => `${JSON.stringify([...headers])} ${JSON.stringify(body)}`
/** The same call, of which everything that comes back is kept. */
const heard =
  (call: Call): Call =>
  async (method, path, request) => {
    const reply = await call(method, path, request)
    replies.push({ where: routeOf(method, path), text: textOf(reply) })
    return reply
  }
const nobody = heard(fromAnywhere(mill.call))
const post = async (path: string, body: object, expected: number, call: Call = nobody): Promise<TestReply['body']> => {
  const reply = await call('POST', `/api/v1${path}`, { body })
  expect(reply.status, `${path}: ${JSON.stringify(reply.body)}`).toBe(expected)
  return reply.body
}

const linkTo = (email: string, kind: string): Promise<string> =>
  vi.waitFor(
    async () => {
      const mail = (await mailsTo(mill, email)).findLast((one) => one.kind === kind)
      if (mail === undefined) throw new Error(`No mail of ${kind} to ${email}`)
      return linkIn(mail).token
    },
    { timeout: 10_000 },
  )

const admin = await mill.admin()
const ben = await mill.register('ben')
const boss = heard(fromAnywhere(admin.call))

/** The life of an account in which everything happens that makes a secret. */
const live = async () => {
  const password = keep('password', 'the first canary sings early')
  const registered = await post('/auth/register', { email: 'ada@example.org', username: 'ada', password }, 201)
  keep('access token of the registration', registered.access_token)
  keep('refresh token of the registration', registered.refresh_token)
  keep('verification link', await linkTo('ada@example.org', 'identity.email_verification'))
  const signed_in = await post('/auth/login', { email: 'ada@example.org', password }, 200)
  const ada = { ...signed_in, call: heard(fromAnywhere(mill.as(signed_in))) } as { access_token: string; refresh_token: string; call: Call }
  keep('access token', ada.access_token)
  keep('refresh token', ada.refresh_token)
  keep('wrong password', 'a canary that nobody has')
  await post('/auth/login', { email: 'ada@example.org', password: secrets.get('wrong password') }, 401)
  await post('/auth/email/verify', { token: secrets.get('verification link') }, 200, ada.call)
  const refreshed = await post('/auth/refresh', { refresh_token: registered.refresh_token }, 200)
  keep('rotated refresh token', refreshed.refresh_token)

  await post('/auth/password/forgot', { email: 'ada@example.org' }, 202)
  keep('reset link', await linkTo('ada@example.org', 'identity.password_reset'))
  await post('/auth/magic-link', { email: 'ada@example.org' }, 202)
  keep('magic link', await linkTo('ada@example.org', 'identity.magic_link'))
  const by_link = await post('/auth/magic-link/verify', { token: secrets.get('magic link') }, 200)
  keep('refresh token of the magic link', by_link.refresh_token)
  await post('/auth/email/change', { email: 'ada2@example.org', password }, 202, ada.call)
  keep('link to another address', await linkTo('ada2@example.org', 'identity.email_change'))
  const new_password = keep('new password', 'the second canary sings late')
  await post('/auth/password/change', { password, new_password }, 200, ada.call)

  const offered = await post('/auth/mfa/totp', { password: new_password }, 201, ada.call)
  keep('totp secret', offered.secret)
  const confirmed = await post('/auth/mfa/totp/confirm', { code: codeOf(offered.secret, Date.now()) }, 200, ada.call)
  for (const [index, code] of confirmed.recovery_codes.entries()) keep(`recovery code ${index}`, code)
  const asked = await post('/auth/login', { email: 'ada@example.org', password: new_password }, 401)
  keep('challenge of a second factor', asked.challenge)
  const second = await post('/auth/mfa/verify', { challenge: asked.challenge, recovery_code: confirmed.recovery_codes[0] }, 200)
  keep('refresh token of the second factor', second.refresh_token)

  const key = await post(
    '/auth/api-keys',
    { name: 'A key', permissions: ['account:read', 'workflows:read', 'workspace:read'] },
    201,
    ada.call,
  )
  keep('api key', key.key)
  keep('token of another issuer', supabaseToken('elsewhere', { email: 'elsewhere@example.org', email_verified: true }))
  return { ...ada, id: signed_in.user.id as string, key, password: new_password }
}
const ada = await live()

/** What belongs to it: a team, an invitation, workflows with payloads, an export. */
const work = async () => {
  const team = await makeTeam(mill, ada as unknown as TestUser)
  await team.join(ben, 'viewer')
  const invitation = await post(`/workspaces/${team.id}/invitations`, { email: 'cleo@example.org', role: 'member' }, 201, ada.call)
  keep('invitation link', await linkTo('cleo@example.org', 'workspaces.invitation'))
  const cleo_password = keep('password of who was invited', 'the third canary sings at noon')
  const cleo = await post('/invitations/register', { token: secrets.get('invitation link'), password: cleo_password }, 201)
  keep('refresh token of who was invited', cleo.refresh_token)
  const open = await post(`/workspaces/${team.id}/invitations`, { email: 'dora@example.org', role: 'member' }, 201, ada.call)
  keep('open invitation link', await linkTo('dora@example.org', 'workspaces.invitation'))

  const made = await boss('POST', '/api/v1/users', { body: { email: 'eve@example.org' } })
  expect(made.status).toBe(201)
  keep('account set-up link', await linkTo('eve@example.org', 'identity.account_setup'))
  keep('password an admin gave', 'the fourth canary sings at dusk')
  expect(
    (await boss('POST', '/api/v1/users', { body: { email: 'fay@example.org', password: secrets.get('password an admin gave') } })).status,
  ).toBe(201)
  const acting = await boss('POST', `/api/v1/users/admin/users/${ada.id}/impersonate`, { body: { reason: 'A test' } })
  expect(acting.status).toBe(201)
  keep('access token of an impersonation', acting.body.access_token)

  keep('secret of a workflow', 'canary-of-the-signature-6f20')
  const secret = await post('/workflows/secrets', { name: 'canary', value: secrets.get('secret of a workflow') }, 201, ada.call)
  keep('credential of an integration', 'xoxb-canary-of-the-service-83bd')
  const credentials = { token: secrets.get('credential of an integration') }
  const config = {}
  const integration = await post('/users/integrations', { type: 'slack', name: 'canary', config, credentials }, 201, ada.call)

  const variable = await ada.call('PUT', '/api/v1/workflows/variables/canary', { body: { value: 1 } })
  expect(variable.status).toBe(201)
  const form = { path: 'canary', title: 'Canary', fields: [{ name: 'name', label: 'Name', type: 'text' }] }
  await publish(ada as unknown as TestUser, { nodes: [{ id: 'form', type: 'trigger.form', config: form }], edges: [] })
  const hook_id = await publish(ada as unknown as TestUser, webhookDefinition('canary'))
  keep('authorization of a webhook', 'Bearer canary-of-the-sender-91ab')
  keep('cookie of a webhook', 'canary-of-the-cookie-44de')
  keep('api key of a webhook', 'canary-of-the-header-0c3e')
  const hook = await mill.call('POST', '/hooks/ada/canary', {
    body: { sacks: 3 },
    headers: {
      authorization: secrets.get('authorization of a webhook') as string,
      cookie: `session=${secrets.get('cookie of a webhook')}`,
      'x-api-key': secrets.get('api key of a webhook') as string,
      'proxy-authorization': secrets.get('authorization of a webhook') as string,
    },
  })
  expect(hook.status).toBe(200)
  const execution_id = hook.headers.get('x-millrace-execution-id') as string
  const requests = await vi.waitFor(async () => {
    const { body } = await ada.call('GET', `/api/v1/workflows/${hook_id}/requests`)
    expect(body.items.length).toBe(1)
    return body.items as { id: string }[]
  })
  const draft = { name: 'Kept under a key', definition: { nodes: [manual], edges: [] } }
  expect((await ada.call('POST', '/api/v1/workflows', { body: draft, headers: { 'idempotency-key': '"canary"' } })).status).toBe(201)
  // A reply with a secret that is stored to be given again.
  const stored = { body: { name: 'Stored', permissions: ['account:read'] }, headers: { 'idempotency-key': '"canary-key"' } }
  const kept = await ada.call('POST', '/api/v1/auth/api-keys', stored)
  expect(kept.status).toBe(201)
  keep('api key in a stored reply', kept.body.key)
  expect((await ada.call('POST', '/api/v1/auth/api-keys', stored)).body.key).toBe(kept.body.key)

  const exported = await ada.call('POST', '/api/v1/users/profile/exports')
  expect(exported.status).toBe(202)
  await vi.waitFor(async () => {
    const { body } = await ada.call('GET', `/api/v1/users/profile/exports/${exported.body.id}`)
    expect(body.status).toBe('ready')
  })
  return {
    team_id: team.id,
    invitation_id: invitation.id ?? open.id,
    hook_id,
    execution_id,
    request_id: requests[0]?.id as string,
    secret_id: secret.id as string,
    integration_id: integration.id as string,
    export_id: exported.body.id as string,
    impersonated: acting.body.access_token as string,
  }
}
const things = await work()
keep('password of the admin', admin.password)
keep('refresh token of the admin', admin.refresh_token)

/** A secret in every form that it might be written in. */
const formsOf = (secret: string): readonly string[] => {
  const bytes = Buffer.from(secret)
  const hashes = (['base64', 'base64url', 'hex'] as const).map((form) => createHash('sha256').update(secret).digest(form))
  return [
    secret,
    bytes.toString('base64').replace(/=+$/, ''),
    bytes.toString('base64url'),
    bytes.toString('hex'),
    encodeURIComponent(secret),
    ...hashes,
  ]
}
const forms = [...secrets].flatMap(([name, secret]) => formsOf(secret).map((form, index) => ({ name, form, is_hash: index > 4 })))

/** Fails with the name of the secret, and not with the secret. */
const expectNone = ({ where, text }: Said, may: (name: string, is_hash: boolean) => boolean = () => false): void => {
  const found = forms
    .filter(({ name, form, is_hash }) => !may(name, is_hash) && text.includes(form))
    .map(({ name, is_hash }) => name + (is_hash ? ', its hash' : ''))
  expect(found, where).toEqual([])
}

const idsFor = (path: string): { readonly [name: string]: string } => {
  if (path.includes('/executions/{id}')) return { id: things.execution_id }
  if (path.includes('/integrations/{id}')) return { id: things.integration_id }
  if (path.includes('/templates/{id}')) return { id: 'webhook-with-reply' }
  if (path.includes('/secrets/{id}')) return { id: things.secret_id }
  if (path.includes('/variables/{name}')) return { name: 'canary' }
  if (path.includes('/workflows/{id}')) return { id: things.hook_id, request_id: things.request_id }
  if (path.includes('/workspaces/{id}')) return { id: things.team_id, user_id: ada.id, invitation_id: things.invitation_id }
  if (path.includes('/api-keys/{id}')) return { id: ada.key.id }
  if (path.includes('/exports/{id}')) return { id: things.export_id }
  return { id: ada.id, email: 'ada@example.org', provider: 'acme', workspace: 'ada', rest: 'canary', code: 'auth.mfa_required' }
}

/** What answers otherwise here: an approval that nobody waits for, a callback without a sign-in, a webhook that takes a POST, figures without their token, what a foreign service is needed for. */
const elsewhere = new Set([
  '/api/v1/auth/oidc/{provider}/callback',
  '/api/v1/automation/trigger-workflow/{id}',
  '/api/v1/integrations/oauth/callback',
  '/api/v1/workflows/approvals/{id}',
  '/api/v1/workflows/bulks/{id}',
  '/hooks/{workspace}/{rest}',
  '/metrics',
])

/** Fields that no reply has, at any depth, under any name that they have in the database. */
const hidden_fields =
  /^(?:password|password_hash|hash|sealed_secret|token_hash|key_hash|secret|challenge_hash|code_hash|parent_hash|child_hash|credential_public_key|public_key|sealed|body|html|text)$/
const shown_fields: { readonly [route: string]: RegExp } = {
  // Of an entry of the audit, which proves its chain by it.
  '/api/v1/audit': /^hash$/,
  '/api/v1/audit/all': /^hash$/,
  // The admin of an installation without a post office reads mails there, and that they did is recorded.
  '/api/v1/mails/{id}': /^(?:html|text)$/,
  // What a workflow was called with: its own data.
  '/api/v1/workflows/executions/{id}': /^body$/,
  '/api/v1/workflows/{id}/requests/{request_id}': /^body$/,
  // What a template sends, which is what whoever made it wrote.
  '/api/v1/workflows/templates/{id}': /^body$/,
  // Descriptions of data, and no data.
  '/openapi.json': /./,
  '/api/v1/workflows/definition.schema.json': /./,
  '/api/v1/workflows/node-types': /./,
  '/api/v1/integrations/types': /./,
  '/api/v1/workflows/{id}': /^body$/,
  '/api/v1/workflows/{id}/versions/{version}': /^body$/,
  '/api/v1/workflows/{id}/export': /^body$/,
}
const namesIn = (value: unknown): readonly string[] => {
  if (Array.isArray(value)) return value.flatMap(namesIn)
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, inner]) => [name, ...namesIn(inner)])
}

test('what is planted is there to be found', () => {
  expect(secrets.size).toBeGreaterThan(35)
  expect(replies.length).toBeGreaterThan(25)
})

test('no route shows anybody a secret, nor the hash of one, but the one that hands it out', async () => {
  for (const said of replies)
    expectNone(said, (name, is_hash) => !is_hash && (handed_out[said.where]?.test(name.replace('api key', 'key')) ?? false))

  const mail = (await boss('GET', '/api/v1/mails?limit=200')).body.items[0].id as string
  const callers: { readonly [who: string]: Call } = {
    nobody: mill.call,
    'a stranger': (await mill.register('stranger')).call,
    'a viewer': (method, path, request) =>
      ben.call(method, path, { ...request, headers: { 'x-workspace-id': things.team_id, ...request?.headers } }),
    'the owner': ada.call,
    'the owner in the team': (method, path, request) =>
      ada.call(method, path, { ...request, headers: { 'x-workspace-id': things.team_id, ...request?.headers } }),
    admin: admin.call,
    'an API key': mill.as({ access_token: ada.key.key }),
    impersonated: mill.as({ access_token: things.impersonated }),
    'a token of another issuer': mill.as({ access_token: secrets.get('token of another issuer') as string }),
  }
  const gets = (await operationsOf(mill)).filter(({ method, path }) => method === 'GET' && !path.endsWith('/start'))
  expect(gets.length).toBeGreaterThan(45)
  const seen = new Set<string>()
  await each(
    gets.flatMap((operation) => Object.entries(callers).map(([who, call]) => ({ operation, who, call }))),
    async ({ operation: { path, ...operation }, who, call }) => {
      const ids = path === '/api/v1/mails/{id}' ? { id: mail } : idsFor(path)
      const query = path.endsWith('/executions/{id}') ? '?payloads=true' : ''
      const reply = await fromAnywhere(call)('GET', pathOf({ ...operation, path }, ids) + query)
      // 503: the post office that nobody is in.
      if (reply.status === 200 || reply.status === 503) seen.add(path)
      const is_outbox = who === 'admin' && path === '/api/v1/mails/{id}'
      expectNone({ where: `GET ${path} as ${who}: ${reply.status}`, text: textOf(reply) }, (name) => is_outbox && name.includes('link'))
      const wrong = namesIn(reply.body).filter((name) => hidden_fields.test(name) && shown_fields[path]?.test(name) !== true)
      expect([path, who, wrong]).toEqual([path, who, []])
    },
  )
  const never = gets.map(({ path }) => path).filter((path) => !seen.has(path) && !elsewhere.has(path))
  expect(never, 'give `idsFor` an id for it').toEqual([])
})

test('exports, figures and pages of errors show no secret', async () => {
  const texts: Said[] = []
  for (const format of ['csv', 'ndjson']) {
    const whole = await admin.call('GET', `/api/v1/audit/all/export?format=${format}`)
    const own = await ada.call('GET', `/api/v1/audit/export?format=${format}`)
    expect([whole.status, own.status]).toEqual([200, 200])
    texts.push({ where: `audit of all as ${format}`, text: textOf(whole) }, { where: `audit as ${format}`, text: textOf(own) })
  }
  const personal = await ada.call('GET', `/api/v1/users/profile/exports/${things.export_id}/download`)
  expect(personal.body.data.api_keys.length).toBe(2)
  const metrics = await mill.call('GET', '/metrics', { headers: { authorization: `Bearer ${of_operator.metrics_token}` } })
  expect(metrics).toMatchObject({ status: 200, body: expect.stringContaining('millrace') })
  texts.push({ where: 'personal export', text: textOf(personal) }, { where: 'metrics', text: textOf(metrics) })
  texts.push({ where: 'description', text: textOf(await mill.call('GET', '/openapi.json')) })
  for (const said of texts) expectNone(said)
  expect(namesIn(personal.body).filter((name) => hidden_fields.test(name))).toEqual([])
})

test('a secret in the wrong place is not repeated in the answer, and not in the log', async () => {
  const began = lines.length
  const [password, token, key] = ['password', 'reset link', 'api key'].map((name) => secrets.get(name) as string) as [
    string,
    string,
    string,
  ]
  const asks: readonly (() => Promise<TestReply>)[] = [
    () => nobody('POST', '/api/v1/auth/login', { body: { email: password, password: { [password]: 1 } } }),
    () => nobody('POST', '/api/v1/auth/login', { body: { email: 'ada@example.org', password, [password]: 1 } }),
    () => nobody('POST', '/api/v1/auth/login', { body: `{"email":"ada@example.org","password":"${password}"` }),
    () => nobody('POST', `/api/v1/auth/login?password=${encodeURIComponent(password)}`, { body: {} }),
    () => nobody('POST', '/api/v1/auth/register', { body: { email: 'x@example.org', password, username: password } }),
    () => nobody('GET', `/api/v1/users/profile?access_token=${ada.access_token}`),
    () => nobody('GET', '/api/v1/users/profile', { headers: { authorization: `Basic ${key}`, 'x-api-key': token } }),
    () => nobody('POST', '/api/v1/auth/password/reset', { body: { token: [token], password: [password] } }),
    () => nobody('POST', '/api/v1/auth/refresh', { body: { refresh_token: { [ada.refresh_token]: ada.refresh_token } } }),
    () => ada.call('POST', `/api/v1/invitations/${secrets.get('open invitation link')}/accept`),
    () => ada.call('POST', '/api/v1/auth/api-keys', { body: { name: 'x', permissions: [key] } }),
    () => ada.call('PUT', '/api/v1/users/profile', { body: { avatar_url: ada.refresh_token } }),
  ]
  for (const [index, ask] of asks.entries()) {
    const reply = await ask()
    expect(reply.status, String(index)).toBeGreaterThanOrEqual(400)
    // What names a field is told back to who sent it, and to nobody else.
    const echoes = index === 0 || index === 1 || index === 8 || index === 10
    if (!echoes) expectNone({ where: `${index}: ${JSON.stringify(reply.body)}`, text: textOf(reply) })
  }
  expect(lines.length).toBeGreaterThan(began)
  for (const text of lines.slice(began)) expectNone({ where: text, text })
})

test('no line of the log holds a secret, at the level that says most', () => {
  expect(lines.length).toBeGreaterThan(100)
  expect(lines.some((text) => text.includes('mail'))).toBe(true)
  expect(lines.some((text) => JSON.parse(text).level === 'debug')).toBe(true)
  for (const text of lines) expectNone({ where: text.slice(0, 2_000), text })
})

test('no table holds a secret in plain text: hashes, or sealed', async () => {
  const tables = await mill.database.owner<{ name: string }[]>`
    select relname as name
    from pg_class
    where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition
    order by relname`
  expect(tables.length).toBeGreaterThan(30)
  const counts: { [table: string]: number } = {}
  for (const { name } of tables) {
    const rows = await mill.database.owner.unsafe<{ text: string }[]>(`select t::text as text from ${name} t`)
    counts[name] = rows.length
    for (const { text } of rows) expectNone({ where: `${name}: ${text.slice(0, 500)}`, text }, (_name, is_hash) => is_hash)
  }
  const filled = ['users', 'user_passwords', 'sessions', 'refresh_tokens', 'api_keys', 'one_time_tokens', 'workspace_invitations', 'mails']
  for (const name of [...filled, 'events', 'audit_entries', 'idempotent_replies', 'executions', 'execution_records'])
    expect([name, counts[name]]).not.toEqual([name, 0])
})

test('no event and no entry of the audit holds even the hash of a secret', async () => {
  await vi.waitFor(async () => {
    const behind = await mill.database.owner`
      select from events e
      where e.name = 'users.export.downloaded' and not exists (select from audit_entries a where a.id = e.id)`
    expect(behind.length).toBe(0)
  })
  const told = await mill.database.owner<{ text: string }[]>`
    select e::text as text from events e
    union all
    select a::text from audit_entries a`
  expect(told.length).toBeGreaterThan(100)
  for (const { text } of told) expectNone({ where: text.slice(0, 500), text })
})
