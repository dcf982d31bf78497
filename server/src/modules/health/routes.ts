import { createHash, timingSafeEqual } from 'node:crypto'
import { Type } from 'typebox'
import { httpErrors } from '../../platform/http/errors.ts'
import { rawRoute, type RawReply, reply, route } from '../../platform/http/route.ts'
import { settings } from '../../platform/settings.ts'
import { detailedHealth, health, serviceStatus } from './health.ts'
import { Health, HealthReport, ServiceStatus } from './schema.ts'

const sendJson = (out: RawReply, status: number, body: unknown): void =>
  out.send(status, { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' }, JSON.stringify(body))

export const getHealthz = rawRoute({
  methods: ['GET', 'HEAD'],
  path: '/healthz',
  summary: 'Whether the process is alive',
  description: 'Answered from memory: for a supervisor that restarts what does not answer.',
  never_shed: true,
  replies: { 200: { description: 'Alive.', content_type: 'application/json', schema: Type.Object({ status: Type.Literal('ok') }) } },
  handle: (_app, _request, out) => sendJson(out, 200, { status: 'ok' }),
})

export const getReadyz = rawRoute({
  methods: ['GET', 'HEAD'],
  path: '/readyz',
  summary: 'Whether this process should get requests',
  description: 'For a load balancer: the database is reached and migrated, and the process is not about to stop.',
  never_shed: true,
  replies: {
    200: { description: 'Ready.', content_type: 'application/json', schema: Health },
    503: { description: 'Not ready, or not any more.', content_type: 'application/json', schema: Health },
  },
  handle: async (app, _request, out) => {
    const state = await health(app)
    sendJson(out, state.status === 'ok' ? 200 : 503, state)
  },
})

export const getHealth = route({
  method: 'GET',
  path: '/health',
  root: true,
  summary: 'The health of this server, in one word',
  allow: 'public',
  never_shed: true,
  replies: { 200: Health, 503: Health },
  handler: async (ctx) => {
    const state = await health(ctx)
    return reply({ status: state.status === 'ok' ? 200 : 503, body: state })
  },
})

export const getDetailedHealth = route({
  method: 'GET',
  path: '/health/detailed',
  root: true,
  summary: 'Each check with its status and how long it took',
  description: 'At most five seconds old.',
  allow: 'health:read',
  replies: { 200: HealthReport, 503: HealthReport },
  handler: async (ctx) => {
    const report = await detailedHealth(ctx)
    return reply({ status: report.status === 'ok' ? 200 : 503, body: report })
  },
})

export const ping = route({
  method: 'GET',
  path: '/health/ping',
  summary: 'Answers pong',
  allow: 'public',
  replies: { 200: Type.Object({ message: Type.Literal('pong') }) },
  handler: () => ({ message: 'pong' as const }),
})

export const getStatus = route({
  method: 'GET',
  path: '/health/status',
  summary: 'The health of this server, its clock and how long it has been up',
  allow: 'public',
  replies: { 200: ServiceStatus },
  handler: (ctx) => serviceStatus(ctx),
})

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

export const getMetrics = rawRoute({
  methods: ['GET', 'HEAD'],
  path: '/metrics',
  summary: 'Figures for Prometheus',
  description: 'Off unless `MILLRACE_METRICS_TOKEN` is set; then with that token as Bearer.',
  never_shed: true,
  replies: { 200: { description: 'The text format of Prometheus.', content_type: 'text/plain' } },
  errors: [httpErrors.not_found, httpErrors.unauthenticated],
  handle: async (app, request, out) => {
    const { metrics_token } = app.settings(settings)
    if (metrics_token === null) throw httpErrors.not_found()
    const given = /^bearer +(.+)$/i.exec(String(request.headers['authorization'] ?? ''))?.[1] ?? ''
    // Digests have one length, so neither it nor the place of the first difference shows in the time.
    if (!timingSafeEqual(digest(given), digest(metrics_token)))
      throw httpErrors.unauthenticated({ headers: { 'www-authenticate': 'Bearer' } })
    const { registry } = app.metrics
    out.send(200, { 'content-type': registry.contentType, 'cache-control': 'no-store' }, await registry.metrics())
  },
})
