import { connect } from 'node:net'
import { expect } from 'vitest'
import type { Call, TestApp, TestReply, TestRequest } from '../../server/src/test-app.ts'

/** A JSON Schema as the description of the routes holds it. */
export interface Schema {
  readonly [keyword: string]: unknown
}

interface Parameter {
  readonly name: string
  readonly in: 'path' | 'query' | 'header'
  readonly schema: Schema
}

/** A route as its description tells a stranger. */
export interface Operation {
  readonly method: string
  /** With `{parameters}`. */
  readonly path: string
  readonly name: string
  readonly is_public: boolean
  /** No role in a workspace gives it, and of the installation's only that of its admins. */
  readonly admins_only: boolean
  readonly parameters: readonly Parameter[]
  /** Of the body; null when the route takes none. */
  readonly body: Schema | null
}

interface Document {
  readonly paths: { readonly [path: string]: { readonly [method: string]: Described } }
  readonly components: { readonly [kind: string]: { readonly [name: string]: Schema } }
}

interface Described {
  readonly parameters?: readonly (Parameter | { readonly $ref: string })[]
  readonly requestBody?: { readonly content: { readonly [type: string]: { readonly schema: Schema } } }
  readonly security: readonly object[]
  readonly 'x-permission'?: { readonly roles: readonly string[]; readonly workspace_roles: readonly string[] }
}

/** Every route of `/openapi.json`, so that a new one is attacked without a word in a test. */
export const operationsOf = async (mill: TestApp): Promise<readonly Operation[]> => {
  const { body: document } = (await mill.call('GET', '/openapi.json')) as { readonly body: Document }
  const resolve = <T extends object>(part: T | { readonly $ref: string }): T => {
    if (!('$ref' in part) || typeof part.$ref !== 'string') return part as T
    const [, , kind = '', name = ''] = part.$ref.split('/')
    return document.components[kind]?.[name] as unknown as T
  }
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, described]) => ({
      method: method.toUpperCase(),
      path,
      name: `${method.toUpperCase()} ${path}`,
      is_public: described.security.length === 0,
      admins_only: isForAdmins(described['x-permission']),
      parameters: (described.parameters ?? []).map((parameter) => resolve<Parameter>(parameter)),
      body: described.requestBody === undefined ? null : resolve(described.requestBody.content['application/json']?.schema ?? {}),
    })),
  )
}

const isForAdmins = (permission: Described['x-permission']): boolean =>
  permission !== undefined && permission.workspace_roles.length === 0 && !permission.roles.includes('user')

export const isApi = ({ path }: Operation): boolean => path.startsWith('/api/v1')

/** A path with its parameters filled in; those that are not named get an id that nothing has. */
export const pathOf = (operation: Operation, values: { readonly [name: string]: string } = {}): string =>
  operation.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => values[name] ?? others[name] ?? nobodys_id)

const others: { readonly [name: string]: string | undefined } = {
  version: '1',
  name: 'nothing',
  provider: 'acme',
  email: 'nobody@example.org',
}

export const nobodys_id = '01900000-0000-7000-8000-00000000dead'

const members = [
  'type',
  'title',
  'status',
  'detail',
  'instance',
  'code',
  'request_id',
  'success',
  'error',
  'error_type',
  'status_code',
  'path',
  'method',
]

/** What may not happen to anybody, whatever they send: a 5xx, or a refusal that is no problem document. */
export const expectProblem = (reply: TestReply, said: string): void => {
  const { status, body, headers } = reply
  const about = `${said} → ${status} ${JSON.stringify(body)?.slice(0, 300)}`
  expect(status, about).toBeGreaterThanOrEqual(400)
  expect(status, about).toBeLessThan(500)
  expect(headers.get('content-type'), about).toBe('application/problem+json; charset=utf-8')
  for (const member of members) expect(body, about).toHaveProperty(member)
  expect([body.status, body.status_code, body.success, body.code], about).toEqual([status, status, false, body.error_type])
  expect(headers.get('x-request-id'), about).toBe(body.request_id)
  expect(JSON.stringify(body), about).not.toMatch(/node_modules|\.ts:\d|at \w+ \(|select |insert |violates|syntax error at/i)
}

/** As `expectProblem`, for input that a route may also take. */
export const expectNoFault = (reply: TestReply, said: string): void => {
  if (reply.status >= 400) expectProblem(reply, said)
}

/** Rows per table. What the product's own work writes meanwhile is left out: the audit follows what happened a moment later. */
export const rowCounts = async ({ database: { owner } }: TestApp): Promise<{ readonly [table: string]: number }> => {
  const tables = await owner<{ name: string }[]>`
    select relname as name
    from pg_class
    where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition and relname not like 'audit_%'
    order by relname`
  const counted = (name: string) => {
    // That somebody exports the audit is itself recorded, by whatever words they ask for it.
    if (name === 'events') return owner`events where name <> 'audit.exported'`
    if (name === 'executions') return owner`executions where mode <> 'job'`
    if (name === 'execution_records') return owner`execution_records where execution_id in (select id from executions where mode <> 'job')`
    return owner(name)
  }
  const counts = await Promise.all(tables.map(({ name }) => owner<{ n: number }[]>`select count(*)::int as n from ${counted(name)}`))
  return Object.fromEntries(tables.map(({ name }, index) => [name, counts[index]?.[0]?.n ?? -1]))
}

/** From another address each time, so that no limit per address comes before what is tested. */
export const fromAnywhere = (call: Call): Call => {
  const run = Math.floor(Math.random() * 60_000)
  let calls = 0
  return (method, path, request: TestRequest = {}) => {
    calls += 1
    const address = `10.${(run + calls) >> 16}.${((run + calls) >> 8) & 255}.${(run + calls) & 255}`
    return call(method, path, { ...request, headers: { 'x-forwarded-for': address, ...request.headers } })
  }
}

/** As one of several people: who has used up what a route grants one person makes room for the next. */
export const oneOf = (people: readonly Call[]): Call => {
  const turns = new Map<string, number>()
  return async (method, path, request) => {
    const route = `${method} ${path}`
    for (;;) {
      const turn = turns.get(route) ?? 0
      const reply = await (people[turn] as Call)(method, path, request)
      if (reply.status !== 429 || turn + 1 >= people.length) return reply
      turns.set(route, Math.max(turns.get(route) ?? 0, turn + 1))
    }
  }
}

/** Does `work` on each, so many at a time. */
export const each = async <T>(all: readonly T[], work: (one: T) => Promise<void>, at_once = 16): Promise<void> => {
  const rest = all.values()
  await Promise.all(
    Array.from({ length: at_once }, async () => {
      for (const one of rest) await work(one)
    }),
  )
}

/** Sends bytes as they are; resolves with what came back when the server has closed, or has been silent for `patience_ms` after it spoke. */
export const bytes = (mill: TestApp, input: string | Buffer, patience_ms = 150): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(mill.url).port), '127.0.0.1')
    let got = ''
    socket.on('data', (chunk) => {
      got += chunk.toString('latin1')
      socket.setTimeout(patience_ms, () => socket.destroy())
    })
    socket.on('error', (error: NodeJS.ErrnoException) =>
      error.code === 'ECONNRESET' || error.code === 'EPIPE' ? undefined : reject(error),
    )
    socket.on('close', () => resolve(got))
    socket.write(input)
  })

export const statusesIn = (text: string): readonly number[] =>
  [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status))

/** A prober of `/healthz` beside other work: answers the delays that it saw, in milliseconds, in order of size. */
export const probing = async (
  mill: TestApp,
  work: () => Promise<unknown>,
): Promise<{ readonly p99: number; readonly most: number; readonly probes: number }> => {
  const delays: number[] = []
  let over = false
  const probe = async (): Promise<void> => {
    while (!over) {
      const began = performance.now()
      const { status } = await fetch(`${mill.url}/healthz`)
      expect(status).toBe(200)
      delays.push(performance.now() - began)
    }
  }
  const probes = probe()
  try {
    await work()
  } finally {
    over = true
    await probes
  }
  const sorted = delays.toSorted((a, b) => a - b)
  return { p99: sorted[Math.floor(sorted.length * 0.99)] ?? 0, most: sorted.at(-1) ?? 0, probes: sorted.length }
}
