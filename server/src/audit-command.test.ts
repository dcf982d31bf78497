import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { testDatabase } from './platform/testing/test-database.ts'
import { testApp, type TestApp, type TestUser } from './test-app.ts'

const main = join(import.meta.dirname, 'main.ts')
const place = mkdtempSync(join(tmpdir(), 'millrace-audit-'))
const inherited = {
  PATH: process.env['PATH'],
  HOME: process.env['HOME'],
  NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] ?? join(import.meta.dirname, '../../node_modules/.cache/node'),
}

let mill: TestApp
let ann: TestUser
beforeAll(async () => {
  mill = await testApp()
  ann = await mill.register('ann')
  await vi.waitFor(async () => expect((await ann.call('GET', '/api/v1/audit')).body.items.length).toBeGreaterThan(1))
})
afterAll(async () => {
  await mill.close()
  rmSync(place, { recursive: true, force: true })
})

interface Ended {
  readonly code: number
  readonly out: string
  readonly err: string
}

const start = (args: readonly string[], env: { readonly [name: string]: string }) =>
  spawn(process.execPath, [main, ...args], { cwd: place, env: { ...inherited, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })

const run = async (args: readonly string[], env: { readonly [name: string]: string } = {}): Promise<Ended> => {
  const child = start(args, env)
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return { code: code as number, out, err }
}

const urlOf = ({ host, port, user, database }: TestApp['database']['connection']): { readonly DATABASE_URL: string } => ({
  DATABASE_URL: `postgres:///${database}?host=${host}&port=${port}&user=${user}`,
})
const verify = (...args: readonly string[]): Promise<Ended> => run(['audit', 'verify', ...args], urlOf(mill.database.connection))

test('the audit of a running server is whole, and its heads are printed to be kept', async () => {
  const { code, out } = await verify()
  expect(out).toMatch(/^whole {3}[0-9a-f-]{36}:\d+:[0-9a-f]{64}$/m)
  expect(out).toMatch(/All \d+ chains are whole\.\n$/)
  expect(code).toBe(0)
  const heads = out.match(/\S+:\d+:[0-9a-f]{64}/g) ?? []
  const expected = heads.flatMap((head) => ['--expect', head])
  expect(await verify(...expected)).toMatchObject({ code: 0 })
  const json = await verify('--json', ...expected)
  expect(JSON.parse(json.out)).toMatchObject({
    ok: true,
    chains: expect.arrayContaining([expect.objectContaining({ chain: ann.workspace_id, breach: null })]),
  })
})

test('a broken chain makes it fail, and the first broken entry is named', async () => {
  const { owner } = mill.database
  const [entry] = await owner`select id from audit_entries where workspace_id = ${ann.workspace_id} and seq = 2`
  const set = (actor_type: string) => owner`update audit_entries set actor_type = ${actor_type} where id = ${entry?.['id']}`
  await set('system')
  const { code, out } = await verify()
  expect(code).toBe(1)
  expect(out).toContain(`BROKEN  ${ann.workspace_id} at entry 2 (${entry?.['id']}): it does not say any more`)
  const json = await verify('--json')
  expect(json.code).toBe(1)
  expect(JSON.parse(json.out)).toMatchObject({
    ok: false,
    chains: expect.arrayContaining([
      expect.objectContaining({ breach: { chain: ann.workspace_id, seq: 2, id: entry?.['id'], problem: 'changed' } }),
    ]),
  })
  await set('user')
  expect(await verify()).toMatchObject({ code: 0 })
})

test('a chain that does not hold a head that was noted fails', async () => {
  expect(await verify('--expect', `${ann.workspace_id}:1:${'0'.repeat(64)}`)).toMatchObject({
    code: 1,
    out: expect.stringContaining('it is not the one that was noted'),
  })
  expect(await verify('--expect', `installation:999999:${'0'.repeat(64)}`)).toMatchObject({ code: 1 })
})

test.each([
  ['audit'],
  ['audit', 'verify', 'twice', 'over'],
  ['audit', 'verify', '--expect', 'x:1:y'],
  ['audit', 'verify', '--expect', `installation:0:${'0'.repeat(64)}`],
  ['audit', 'verify', '--expect'],
  ['audit', 'verify', '--repair'],
])('%s %s %s %s is not understood', async (...args) => {
  const { code, out, err } = await run(args.filter((arg) => arg !== undefined))
  expect([code, out]).toEqual([2, ''])
  expect(err).toContain('--expect <chain>:<seq>:<hash>')
})

test('where there is nothing to verify it says so', async () => {
  const empty = await testDatabase({ empty: true })
  const none = await run(['audit', 'verify'], urlOf(empty.connection))
  await empty.close()
  expect(none).toMatchObject({ code: 1, out: '', err: expect.stringContaining('has no audit yet') })
  const nowhere = await run(['audit', 'verify'], { MILLRACE_DATA_DIR: join(place, 'nothing') })
  expect(nowhere).toMatchObject({ code: 1, out: '', err: expect.stringContaining('There is no database in') })
})

test('an embedded database is verified while its server runs, and when it does not', async () => {
  const env = { MILLRACE_DATA_DIR: join(place, 'data'), PORT: '0' }
  const server = start(['start'], {
    ...env,
    MILLRACE_ADMIN_EMAIL: 'boss@example.org',
    MILLRACE_ADMIN_PASSWORD: 'violet-umbrella-39-harbour',
  })
  let said = ''
  const ended = once(server, 'close')
  try {
    for await (const chunk of server.stdout) {
      said += String(chunk)
      if (said.includes('"ready"')) break
    }
    await vi.waitFor(
      async () => expect(await run(['audit', 'verify'], env)).toMatchObject({ code: 0, out: expect.stringContaining('whole ') }),
      {
        timeout: 20_000,
      },
    )
  } finally {
    server.kill('SIGTERM')
    await ended
  }
  const after = await run(['audit', 'verify'], env)
  expect(after, after.err).toMatchObject({ code: 0, out: expect.stringContaining('whole ') })
})
