import { createHmac, generateKeyPairSync, sign as signBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, expect, test, vi } from 'vitest'
import { tokenKeys } from '../../server/src/modules/identity/services.ts'
import { create, publish, webhookDefinition } from '../../server/src/modules/workflows/definitions.testing.ts'
import { testApp, type TestUser } from '../../server/src/test-app.ts'
import {
  bytes,
  each,
  expectProblem,
  fromAnywhere,
  nobodys_id,
  type Operation,
  operationsOf,
  pathOf,
  rowCounts,
  statusesIn,
} from './attack.ts'

const mill = await testApp()
afterAll(mill.close)

const ada = await mill.register('ada')
const ben = await mill.register('ben')
const operations = (await operationsOf(mill)).filter(({ is_public }) => !is_public)

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const claimsOf = (token: string) =>
  JSON.parse(Buffer.from(token.split('.')[1] as string, 'base64url').toString()) as { [claim: string]: unknown }
const headerOf = (token: string) =>
  JSON.parse(Buffer.from(token.split('.')[0] as string, 'base64url').toString()) as { [field: string]: unknown }

const stranger = generateKeyPairSync('ed25519').privateKey
const signedBy = (header: object, claims: object, sign: (text: string) => Buffer): string => {
  const text = `${part(header)}.${part(claims)}`
  return `${text}.${sign(text).toString('base64url')}`
}
const ed25519 = (text: string): Buffer => signBytes(null, Buffer.from(text), stranger)

const forgeries = async (): Promise<{ readonly [what: string]: string }> => {
  const { access_token, refresh_token } = ada
  const [head, body, signature] = access_token.split('.') as [string, string, string]
  const header = headerOf(access_token)
  const claims = claimsOf(access_token)
  const { keys } = (await mill.call('GET', '/.well-known/jwks.json')).body as { readonly keys: readonly { readonly x: string }[] }
  const public_key = keys[0]?.x as string
  const ours = mill.app.use(tokenKeys).current()
  const hour = 3_600
  const now = Math.floor(mill.app.now() / 1000)
  return {
    'nothing that is a token': 'x',
    'no signature': `${head}.${body}.`,
    'two parts': `${head}.${body}`,
    'a signature of another text': `${head}.${part({ ...claims, role: 'admin' })}.${signature}`,
    'alg none': `${part({ ...header, alg: 'none' })}.${body}.`,
    'alg None, signed': `${part({ ...header, alg: 'None' })}.${body}.${signature}`,
    'HS256 under the public key': signedBy({ ...header, alg: 'HS256' }, claims, (text) =>
      createHmac('sha256', public_key).update(text).digest(),
    ),
    'HS256 under the bytes of the public key': signedBy({ ...header, alg: 'HS256' }, claims, (text) =>
      createHmac('sha256', Buffer.from(public_key, 'base64url')).update(text).digest(),
    ),
    "somebody else's key under our key id": signedBy(header, claims, ed25519),
    "somebody else's key under its own id": signedBy({ ...header, kid: 'mine' }, claims, ed25519),
    'a key that the token brings along': signedBy({ ...header, jwk: { kty: 'OKP', crv: 'Ed25519', x: 'x' } }, claims, ed25519),
    'a key that the token links to': signedBy({ ...header, jku: 'http://127.0.0.1/keys', x5u: 'http://127.0.0.1/' }, claims, ed25519),
    'a key id that is a path': signedBy({ ...header, kid: '../../../../dev/null' }, claims, ed25519),
    'a key id of a prototype': signedBy({ ...header, kid: '__proto__' }, claims, ed25519),
    expired: ours.sign({ ...claims, iat: now - 2 * hour, exp: now - hour } as never),
    'for a session that there is not': ours.sign({ ...claims, sid: nobodys_id } as never),
    'for a session of somebody else': ours.sign({ ...claims, sid: claimsOf(ben.access_token)['sid'] } as never),
    'for a user that there is not': ours.sign({ ...claims, sub: nobodys_id } as never),
    'for a workspace of somebody else': ours.sign({ ...claims, wid: ben.workspace_id } as never),
    'a refresh token': refresh_token,
    'an API key that there is not': `mlr_${'a'.repeat(43)}`,
    'a set-up token': `mlrs_${'a'.repeat(43)}`,
  }
}

/** A request that says nothing but who asks. */
const ask = (operation: Operation, headers: { readonly [name: string]: string }) =>
  fromAnywhere(mill.call)(operation.method, pathOf(operation), { headers })

test('without a token, or with one that is not good, no route says anything but 401', async () => {
  const tokens = Object.entries({ ...(await forgeries()) })
  const wrong = [
    ['none', {}] as const,
    ...tokens.map(([what, token]) => [what, { authorization: `Bearer ${token}` }] as const),
    ...tokens.map(([what, token]) => [`${what}, as an API key`, { 'x-api-key': token }] as const),
    ['a good token under another scheme', { authorization: `Basic ${ada.access_token}` }] as const,
    ['a good token as a cookie', { cookie: `access_token=${ada.access_token}; millrace_refresh=${ada.refresh_token}` }] as const,
  ]
  const before = await rowCounts(mill)
  await each(
    operations.flatMap((operation) => wrong.map(([what, headers]) => ({ operation, what, headers }))),
    async ({ operation, what, headers }) => {
      const reply = await ask(operation, headers)
      expectProblem(reply, `${operation.name} with ${what}`)
      // A path that names a workspace says itself where the caller wants to be, whatever the token says.
      const elsewhere = operation.path.includes('/workspaces/{id}') && what === 'for a workspace of somebody else'
      expect([operation.name, what, reply.status]).toEqual([operation.name, what, elsewhere && reply.status === 404 ? 404 : 401])
      expect(reply.headers.get('www-authenticate') ?? 'none', what).toMatch(/^Bearer|none/)
    },
  )
  expect(await rowCounts(mill)).toEqual(before)
})

test('a good token counts, whatever else a request brings', async () => {
  for (const headers of [
    { 'x-user-id': ben.id, 'x-role': 'admin' },
    { 'x-original-url': '/health/detailed', 'x-rewrite-url': '/metrics' },
  ]) {
    expect((await ada.call('GET', '/api/v1/auth/me', { headers })).body).toMatchObject({ id: ada.id, role: 'user' })
  }
  expect(await ada.call('GET', '/api/v1/auth/me?access_token=x')).toMatchObject({ status: 422 })
})

/** One of everything that has an id, of somebody else. */
const objectsOf = async (user: TestUser) => {
  const workflow_id = await publish(user, webhookDefinition(`of-${user.id.slice(-6)}`))
  const draft = await create(user, webhookDefinition('draft'))
  const started = await user.call('POST', `/api/v1/workflows/${workflow_id}/execute`, { body: { wait_ms: 10_000 } })
  expect(started.status).toBe(200)
  const template = await user.call('POST', `/api/v1/workflows/${workflow_id}/save-as-template`, { body: {} })
  expect(template.status).toBe(201)
  const sessions = await user.call('GET', '/api/v1/auth/sessions')
  return {
    workflow_id,
    template_id: template.body.id as string,
    draft_id: draft.id as string,
    execution_id: started.body.id as string,
    session_id: sessions.body.items[0].id as string,
    user_id: user.id,
    workspace_id: user.workspace_id,
  }
}

/** What each of these routes takes, as far as it must have something. */
const leastBodyOf = ({ method, path }: Operation): object =>
  path.endsWith('/decide')
    ? { decision: 'approve' }
    : path.endsWith('/save-as-test')
      ? { name: 'mine' }
      : method === 'PUT'
        ? path.includes('/templates/')
          ? { title: 'mine' }
          : { name: 'mine' }
        : {}

const withoutPlace = (body: { readonly [member: string]: unknown }) => ({ ...body, request_id: '', instance: '', path: '' })

test('what belongs to somebody else is not there: the same words as for what nobody has, and no trace of the try', async () => {
  const theirs = await objectsOf(ben)
  const before = await rowCounts(mill)
  const untouched = await ben.call('GET', `/api/v1/workflows/${theirs.workflow_id}`)
  const withId = operations.filter(({ path, admins_only }) => path.includes('{id}') && !admins_only)
  expect(withId.length).toBeGreaterThan(14)
  await each(
    withId.flatMap((operation) => Object.entries(theirs).map(([what, id]) => ({ operation, what, id }))),
    async ({ operation, what, id }) => {
      const send = (path: string) =>
        ada.call(operation.method, path, {
          headers: { 'if-match': '*' },
          ...(operation.body === null ? {} : { body: leastBodyOf(operation) }),
        })
      const [reply, nothing] = await Promise.all([send(pathOf(operation, { id })), send(pathOf(operation))])
      expectProblem(reply, `${operation.name} with the ${what} of somebody else`)
      // What can lock an owner out asks for a proof first, whatever it is about.
      const asked = reply.body.code === 'auth.reauthentication_required'
      expect([operation.name, what, reply.status]).toEqual([operation.name, what, asked ? 403 : 404])
      expect(withoutPlace(reply.body)).toEqual(withoutPlace(nothing.body))
    },
  )
  const lists = operations.filter(({ method, path, admins_only }) => method === 'GET' && !path.includes('{') && !admins_only)
  const ids = [ben.id, ben.workspace_id, ...Object.values(theirs)]
  for (const operation of lists) {
    const said = JSON.stringify((await ada.call('GET', pathOf(operation))).body)
    for (const id of ids) expect([operation.name, said.includes(id)]).toEqual([operation.name, false])
  }
  expect(await rowCounts(mill)).toEqual(before)
  expect(await ben.call('GET', `/api/v1/workflows/${theirs.workflow_id}`)).toMatchObject({ status: 200, body: untouched.body })
})

test("nobody gets into somebody else's workspace by naming it", async () => {
  const before = await rowCounts(mill)
  for (const operation of operations) {
    for (const workspace_id of [
      ben.workspace_id,
      ben.workspace_id.toUpperCase(),
      nobodys_id,
      `${ada.workspace_id},${ben.workspace_id}`,
      'ben',
      '*',
      '',
    ]) {
      const reply = await ada.call(operation.method, pathOf(operation), { headers: { 'x-workspace-id': workspace_id } })
      expectProblem(reply, `${operation.name} in the workspace ${workspace_id}`)
      expect([operation.name, workspace_id, reply.status, reply.body.code]).toEqual([
        operation.name,
        workspace_id,
        404,
        'workspaces.not_found',
      ])
    }
  }
  expect(await rowCounts(mill)).toEqual(before)
})

test('what only an admin may is refused to anybody else, whomever it is about', async () => {
  const forAdmins = operations.filter(({ admins_only }) => admins_only)
  expect(forAdmins.length).toBeGreaterThan(1)
  const before = await rowCounts(mill)
  for (const operation of forAdmins) {
    for (const id of [ada.id, ben.id, nobodys_id]) {
      const reply = await ada.call(
        operation.method,
        pathOf(operation, { id }),
        operation.body === null ? {} : { body: { is_active: false } },
      )
      expectProblem(reply, operation.name)
      expect([operation.name, reply.status]).toEqual([operation.name, 403])
    }
  }
  expect(await rowCounts(mill)).toEqual(before)
})

test('after a sign-out no route takes the access token any more', async () => {
  const zoe = await mill.register('zoe')
  expect((await zoe.call('GET', '/api/v1/auth/me')).status).toBe(200)
  expect((await zoe.call('POST', '/api/v1/auth/logout')).status).toBe(200)
  await each(operations, async (operation) => {
    const reply = await zoe.call(operation.method, pathOf(operation))
    expect([operation.name, reply.status, reply.body.code]).toEqual([operation.name, 401, 'auth.session_revoked'])
  })
  expect((await mill.call('POST', '/api/v1/auth/refresh', { body: { refresh_token: zoe.refresh_token } })).status).toBe(401)
})

test('a request that was begun before a sign-out and is completed after it does nothing', async () => {
  const yan = await mill.register('yan')
  const body = JSON.stringify({ name: 'Too late' })
  const headers = `authorization: Bearer ${yan.access_token}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}`
  const socket = connect(Number(new URL(mill.url).port), '127.0.0.1')
  const said = once(socket, 'data')
  socket.write(`PUT /api/v1/users/profile HTTP/1.1\r\nhost: a\r\nconnection: close\r\n${headers}\r\n\r\n${body.slice(0, 5)}`)
  await pause(700)
  expect((await yan.call('POST', '/api/v1/auth/logout')).status).toBe(200)
  socket.write(body.slice(5))
  expect(statusesIn(String((await said)[0]))).toEqual([401])
  expect(await mill.database.owner`select name from users where id = ${yan.id}`).toMatchObject([{ name: null }])
})

test('a webhook reaches the workspace in its path and no other', async () => {
  const path = 'of-both'
  await publish(ada, webhookDefinition(path, {}, { whose: 'ada' }))
  await publish(ben, webhookDefinition(path, {}, { whose: 'ben' }))
  const call = async (url: string) =>
    (await mill.call('POST', url, { headers: { authorization: `Bearer ${ben.access_token}`, 'x-workspace-id': ben.workspace_id } })).body
  await vi.waitFor(async () => expect(await call('/hooks/ben/of-both')).toEqual({ whose: 'ben' }))
  expect(await call('/hooks/ada/of-both')).toEqual({ whose: 'ada' })
  // Sent byte for byte: a client would tidy some of these up.
  const tricks = [
    '/hooks/ada/../ben/of-both',
    '/hooks/ada/%2e%2e/ben/of-both',
    '/hooks/ada%2f..%2fben/of-both',
    '/hooks/ada/./of-both',
    '/hooks//of-both',
    '/hooks/ada//of-both',
  ]
  const endings = [
    '/hooks/ADA/of-both',
    '/hooks/ada/of-both/',
    '/hooks/ada/of-both%00',
    '/hooks/ada/of-both;x',
    '/hooks/ada/of-both%20',
    '/hooks/ada/%6ff-both%2f',
    '/hooks/ada/',
    '/hooks/ada',
    '/hooks',
  ]
  const others = [
    '//hooks/ada/of-both',
    '/./hooks/ada/of-both',
    '/HOOKS/ada/of-both',
    '/hooks/ada/of-both%',
    '/hooks/ada/%ff',
    `/hooks/ada/${'of-both/'.repeat(1_500)}`,
    '/hooks/%00/of-both',
    '\\hooks\\ada\\of-both',
  ]
  for (const path_sent of [...tricks, ...endings, ...others]) {
    const said = await bytes(mill, `POST ${path_sent} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n`)
    expect([path_sent.slice(0, 60), statusesIn(said).every((status) => status === 404 || status === 400), said.includes('whose')]).toEqual([
      path_sent.slice(0, 60),
      true,
      false,
    ])
  }
})
