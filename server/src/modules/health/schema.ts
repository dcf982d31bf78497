import { type Static, Type } from 'typebox'

export const Health = Type.Object({
  status: Type.Union([Type.Literal('ok'), Type.Literal('unavailable')]),
  detail: Type.String({ description: '`ready`, `starting`, `draining` or `database_unreachable`.' }),
})
export type Health = Static<typeof Health>

export const ServiceStatus = Type.Object({
  status: Health.properties.status,
  detail: Health.properties.detail,
  uptime_ms: Type.Integer(),
  time: Type.String({ format: 'date-time', description: "The server's clock." }),
})
export type ServiceStatus = Static<typeof ServiceStatus>

export const CheckResult = Type.Object({
  name: Type.String(),
  status: Type.Union([Type.Literal('ok'), Type.Literal('failing')]),
  latency_ms: Type.Number(),
  detail: Type.Union([Type.String(), Type.Null()]),
})
export type CheckResult = Static<typeof CheckResult>

export const HealthReport = Type.Object({
  status: Type.Union([Type.Literal('ok'), Type.Literal('failing')]),
  version: Type.String(),
  checked_at: Type.String({ format: 'date-time' }),
  checks: Type.Array(CheckResult),
})
export type HealthReport = Static<typeof HealthReport>
