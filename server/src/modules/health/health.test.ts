import { afterAll, expect, test } from 'vitest'
import { manualClock } from '../../platform/clock.ts'
import { defineModule } from '../../platform/module.ts'
import { modules } from '../../modules.ts'
import { testApp } from '../../test-app.ts'

let checks = 0
const counted = defineModule({
  name: 'counted',
  checks: [{ name: 'counted', check: () => Promise.resolve({ ok: true, detail: `${(checks += 1)}` }) }],
})
const clock = manualClock()
const token = 'a-token-for-prometheus'
const mill = await testApp({ modules: [...modules, counted], clock, env: { MILLRACE_METRICS_TOKEN: token } })
afterAll(mill.close)

test('a running server is alive and ready', async () => {
  expect(await mill.call('GET', '/healthz')).toMatchObject({ status: 200, body: { status: 'ok' } })
  expect(await mill.call('GET', '/readyz')).toMatchObject({ status: 200, body: { status: 'ok', detail: 'ready' } })
  expect(await mill.call('GET', '/health')).toMatchObject({ status: 200, body: { status: 'ok', detail: 'ready' } })
  expect(await mill.call('GET', '/api/v1/health/ping')).toMatchObject({ status: 200, body: { message: 'pong' } })
  const status = await mill.call('GET', '/api/v1/health/status')
  expect(status).toMatchObject({ status: 200, body: { status: 'ok', time: new Date(clock.now()).toISOString() } })
  expect(status.body.uptime_ms).toBeGreaterThan(0)
})

test('the detailed report is for admins', async () => {
  const user = await mill.register()
  expect(await mill.call('GET', '/health/detailed')).toMatchObject({ status: 401 })
  expect(await user.call('GET', '/health/detailed')).toMatchObject({ status: 403, body: { code: 'http.forbidden' } })
})

test('the detailed report names each check, and a thousand calls at once cost one check', async () => {
  const admin = await mill.admin()
  const first = await admin.call('GET', '/health/detailed')
  expect(first).toMatchObject({ status: 200, body: { status: 'ok', version: expect.any(String) } })
  const names = first.body.checks.map(({ name }: { name: string }) => name)
  expect(names).toEqual(expect.arrayContaining(['server', 'database', 'disk', 'memory', 'counted']))
  for (const check of first.body.checks) expect(check).toMatchObject({ status: 'ok', latency_ms: expect.any(Number) })

  clock.advance(5_000)
  const before = checks
  const replies = await Promise.all(Array.from({ length: 1_000 }, () => admin.call('GET', '/health/detailed')))
  expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]))
  expect(checks).toBe(before + 1)
})

test('a check that fails or does not come to an end is told, without its words', async () => {
  const broken = defineModule({
    name: 'broken',
    checks: [{ name: 'broken', check: () => Promise.reject(new Error('canary-7d21')) }],
  })
  const other = await testApp({ modules: [...modules, broken] })
  try {
    const reply = await (await other.admin()).call('GET', '/health/detailed')
    expect(reply).toMatchObject({ status: 503, body: { status: 'failing' } })
    expect(JSON.stringify(reply.body)).not.toContain('canary-7d21')
    expect(reply.body.checks.find(({ name }: { name: string }) => name === 'broken')).toMatchObject({ status: 'failing' })
  } finally {
    await other.close()
  }
})

test('figures for Prometheus come with the token only', async () => {
  expect(await mill.call('GET', '/metrics')).toMatchObject({ status: 401 })
  expect(await mill.call('GET', '/metrics', { headers: { authorization: `Bearer ${token}x` } })).toMatchObject({ status: 401 })
  const reply = await mill.call('GET', '/metrics', { headers: { authorization: `Bearer ${token}` } })
  expect(reply.status).toBe(200)
  expect(reply.body).toContain('process_resident_memory_bytes')
})

test('without a token there is no such page', async () => {
  const other = await testApp()
  try {
    expect(await other.call('GET', '/metrics')).toMatchObject({ status: 404, body: { code: 'http.not_found' } })
  } finally {
    await other.close()
  }
})

test('a server that drains is not ready any more, and still alive', async () => {
  const other = await testApp()
  try {
    const draining = other.app.modules.flatMap((module) => module.services ?? []).find(({ name }) => name === 'readiness')
    await draining?.drain?.(other.app.use(draining), other.app)
    expect(await other.call('GET', '/readyz')).toMatchObject({ status: 503, body: { status: 'unavailable', detail: 'draining' } })
    expect(await other.call('GET', '/healthz')).toMatchObject({ status: 200 })
  } finally {
    await other.close()
  }
})
