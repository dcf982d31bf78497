import { setTimeout as delay } from 'node:timers/promises'
import type { App, Ctx } from '../../platform/context.ts'
import type { HealthCheck } from '../../platform/module.ts'
import { cached, readiness } from '../../platform/readiness.ts'
import { defineService } from '../../platform/service.ts'
import { version } from '../../platform/version.ts'
import type { CheckResult, Health, HealthReport, ServiceStatus } from './schema.ts'

const report_ms = 5_000
const patience_ms = 5_000

/** The detailed report is worked out at most every five seconds: it is no lever to put load on the database. */
export const healthReport = defineService<() => Promise<HealthReport>>({
  name: 'health.report',
  create: (app) => cached(app.now, report_ms, () => makeReport(app)),
})

export const health = async (app: App): Promise<Health> => {
  const detail = await app.use(readiness).state()
  return { status: detail === 'ready' ? 'ok' : 'unavailable', detail }
}

export const serviceStatus = async (ctx: Ctx): Promise<ServiceStatus> => ({
  ...(await health(ctx)),
  uptime_ms: Math.round(process.uptime() * 1000),
  time: new Date(ctx.now()).toISOString(),
})

export const detailedHealth = (ctx: Ctx): Promise<HealthReport> => ctx.use(healthReport)()

const makeReport = async (app: App): Promise<HealthReport> => {
  const checks = app.modules.flatMap((module) => module.checks ?? [])
  const results = await Promise.all(checks.map((check) => runCheck(app, check)))
  const failing = results.some(({ status }) => status === 'failing')
  return { status: failing ? 'failing' : 'ok', version, checked_at: new Date(app.now()).toISOString(), checks: results }
}

const runCheck = async (app: App, { name, check }: HealthCheck): Promise<CheckResult> => {
  const started = performance.now()
  const given_up = new AbortController()
  const late = delay(patience_ms, { ok: false, detail: `no answer within ${patience_ms} ms` }, { signal: given_up.signal, ref: false })
  const { ok, detail = null } = await Promise.race([runSafely(app, name, check), late])
  given_up.abort()
  return { name, status: ok ? 'ok' : 'failing', latency_ms: Math.round((performance.now() - started) * 10) / 10, detail }
}

/** What a failed check threw is for the log: the report goes to a client. */
const runSafely = async (app: App, name: string, check: HealthCheck['check']): Promise<{ ok: boolean; detail?: string }> => {
  try {
    return await check(app)
  } catch (error) {
    app.log.warn({ err: error, check: name }, 'a health check failed')
    return { ok: false, detail: 'failed; the log says why' }
  }
}
