import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createApp } from './app.ts'
import { modules as allModules } from './modules.ts'
import type { Clock } from './platform/clock.ts'
import type { App } from './platform/context.ts'
import type { RecordedEvent } from './platform/events/event.ts'
import { httpService } from './platform/http/http-service.ts'
import { announcements, type Module } from './platform/module.ts'
import type { Roles } from './platform/permissions.ts'
import { settings } from './platform/settings.ts'
import { type TestDatabase, testDatabase } from './platform/testing/test-database.ts'
import { roles as allRoles } from './roles.ts'

export interface TestAppOptions {
  /** Those of the product when not given. To add one of the test's own: `[...modules, mine]`. */
  readonly modules?: readonly Module[]
  /** Those of the product when not given. */
  readonly roles?: Roles
  readonly env?: { readonly [variable: string]: string }
  readonly clock?: Clock
  /** Where the log goes; `LOG_LEVEL` has to be set with it. */
  readonly log_to?: { readonly write: (line: string) => void }
  /** Another process on the database of this one, which may have gone before. It is closed before that one. */
  readonly beside?: Pick<TestApp, 'database'> & Partial<Pick<TestApp, 'app'>>
}

export interface TestRequest {
  readonly body?: unknown
  readonly headers?: { readonly [name: string]: string }
}

export interface TestReply {
  readonly status: number
  readonly headers: Headers
  /** Parsed where it is JSON, else the text; null where there is none. */
  // What comes back is what the test is about; it says so by its expectations.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any
}

/** Sends one request over HTTP: `call('POST', '/api/v1/workflows', { body })`. */
export type Call = (method: string, path: string, request?: TestRequest) => Promise<TestReply>

export interface TestUser {
  readonly id: string
  readonly email: string
  readonly password: string
  readonly workspace_id: string
  readonly access_token: string
  readonly refresh_token: string
  readonly call: Call
}

export interface TestApp {
  readonly app: App
  /** Where it listens: `http://127.0.0.1:<port>`. */
  readonly url: string
  readonly database: TestDatabase
  /** As nobody. */
  readonly call: Call
  /** As whoever holds the token. */
  readonly as: (user: { readonly access_token: string }) => Call
  /** A new account with a workspace of its own, through the front door. */
  readonly register: (name?: string) => Promise<TestUser>
  /** An account that is an admin of the installation, through the front door as well. */
  readonly admin: () => Promise<TestUser>
  /** The events recorded so far, in order. */
  readonly events: () => Promise<readonly RecordedEvent[]>
  readonly close: () => Promise<void>
}

/**
 * A whole app on a database of its own, listening on a free port: `const mill = await testApp()`, and `afterAll(mill.close)`.
 * Only the data directory is temporary and PostgreSQL is shared with the other test files; everything else is what runs in
 * production.
 */
export const testApp = async (options: TestAppOptions = {}): Promise<TestApp> => {
  const data_dir = await mkdtemp(join(tmpdir(), 'millrace-app-'))
  const database = options.beside?.database ?? (await testDatabase())
  const composition = createApp({
    modules: options.modules ?? allModules,
    roles: options.roles ?? allRoles,
    connection: database.connection,
    env: { ...testEnv, MILLRACE_DATA_DIR: data_dir, ...(options.beside?.app ? besideOf(options.beside.app) : {}), ...options.env },
    ...(options.clock ? { clock: options.clock } : {}),
    ...(options.log_to ? { log_to: options.log_to } : {}),
  })
  const close = async (): Promise<void> => {
    await composition.stop()
    if (!options.beside) await database.close()
    await rm(data_dir, { recursive: true, force: true })
  }
  try {
    const app = await composition.start()
    const { port } = new URL(app.use(httpService).url())
    const url = `http://127.0.0.1:${port}`
    return { app, url, database, ...callers(url), ...accounts(url, app), events: () => readEvents(database), close }
  } catch (error) {
    await close()
    throw error
  }
}

/** `loopback`: so that a test can come from another address than the one before it, and meet no rate limit that is not its subject. */
const testEnv = {
  PORT: '0',
  HOST: '127.0.0.1',
  LOG_LEVEL: 'silent',
  TRUST_PROXY: 'loopback',
  // A reply that drifts from its schema fails the test that meets it.
  MILLRACE_CHECK_REPLIES: 'true',
  // The same for all, so that two servers can share a database.
  MILLRACE_SECRET_KEY: Buffer.alloc(32, 'test').toString('base64'),
}

/** Processes on one database read each other's large records. */
const besideOf = (app: App) => ({ MILLRACE_BLOB_DIRECTORY: join(app.settings(settings).data_dir, 'blobs') })

const callers = (url: string): Pick<TestApp, 'call' | 'as'> => ({
  call: send(url, {}),
  as: ({ access_token }) => send(url, { authorization: `Bearer ${access_token}` }),
})

const send =
  (url: string, common: { readonly [name: string]: string }): Call =>
  async (method, path, { body, headers = {} } = {}) => {
    const given: { [name: string]: string } = {
      ...common,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    }
    const response = await fetch(url + path, {
      method,
      headers: given,
      redirect: 'manual',
      ...(body === undefined ? {} : { body: typeof body === 'string' || body instanceof Buffer ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    const isJson = /[/+]json\b/.test(response.headers.get('content-type') ?? '')
    return { status: response.status, headers: response.headers, body: text === '' ? null : isJson ? JSON.parse(text) : text }
  }

/** Where new accounts come from: addresses that nobody has (RFC 2544), a different one each time. */
const addresses = function* (): Generator<string, never> {
  for (let number = 1; ; number += 1) yield `198.18.${number >> 8}.${number & 255}`
}

const accounts = (url: string, app: App): Pick<TestApp, 'register' | 'admin'> => {
  const { call, as } = callers(url)
  const from = addresses()
  const signUp = async (path: string, email: string, extra: object): Promise<TestUser> => {
    const password = 'a mill turns on water'
    const { status, body } = await call('POST', path, {
      body: { email, password, ...extra },
      headers: { 'x-forwarded-for': from.next().value },
    })
    if (status !== 201) throw new Error(`${path} answered ${status}: ${JSON.stringify(body)}`)
    const { access_token, refresh_token, user } = body
    const me = await as({ access_token })('GET', '/api/v1/auth/me')
    return { id: user.id, email, password, workspace_id: me.body.workspace_id, access_token, refresh_token, call: as({ access_token }) }
  }
  let registered = 0
  return {
    register: (name = `user${(registered += 1)}`) => signUp('/api/v1/auth/register', `${name}@example.org`, { username: name }),
    admin: async () => signUp('/api/v1/auth/setup', 'admin@example.org', { token: await setupToken(app) }),
  }
}

const setupToken = async (app: App): Promise<string> => {
  const told = await announcements(app)
  const link = told.find(({ text }) => text.includes('/setup?token='))
  if (!link) throw new Error('There is no set-up link: this app has an admin, or no module that makes one.')
  return new URL(link.text).searchParams.get('token') as string
}

const readEvents = (database: TestDatabase): Promise<readonly RecordedEvent[]> => database.owner<RecordedEvent[]>`
  select id, seq, name, workspace_id, json_build_object('type', actor_type, 'id', actor_id) as actor, impersonator_id, origin, data, changes,
    created_at
  from events
  order by seq`
