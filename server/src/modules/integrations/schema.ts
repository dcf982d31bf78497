import { Type, type Static, type TSchema } from 'typebox'

export const Id = Type.String({ format: 'uuid' })
const Time = Type.String({ format: 'date-time' })
const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])
const closed = { additionalProperties: false } as const

const Name = Type.String({ minLength: 1, maxLength: 200, pattern: '\\S' })
const TypeName = Type.String({ minLength: 1, maxLength: 50, description: 'One of `GET /integrations/types`.' })
const Config = Type.Record(Type.String({ maxLength: 100 }), Type.Unknown(), {
  maxProperties: 100,
  description: 'As the type describes it. It can be read: nothing secret belongs here.',
})
const Secret = Type.String({ minLength: 1, maxLength: 16_384 })

export const NewIntegration = Type.Object(
  {
    type: TypeName,
    name: Name,
    config: Type.Optional(Config),
    credentials: Type.Optional(
      Type.Record(Type.String({ maxLength: 100 }), Secret, {
        maxProperties: 20,
        description: 'As the type describes them. They are encrypted and never shown again.',
      }),
    ),
  },
  { ...closed, title: 'NewIntegration' },
)
export type NewIntegration = Static<typeof NewIntegration>

export const IntegrationChange = Type.Object(
  {
    name: Type.Optional(Name),
    config: Type.Optional(Config),
    credentials: Type.Optional(
      Type.Record(Type.String({ maxLength: 100 }), Nullable(Secret), {
        maxProperties: 20,
        description: 'Those that are given replace the stored ones, null removes one, the others stay.',
      }),
    ),
  },
  { ...closed, minProperties: 1, title: 'IntegrationChange' },
)
export type IntegrationChange = Static<typeof IntegrationChange>

export const HealthStatus = Type.Union([Type.Literal('unknown'), Type.Literal('ok'), Type.Literal('failing')])
export type HealthStatus = Static<typeof HealthStatus>

export const Health = Type.Object({
  status: HealthStatus,
  checked_at: Nullable(Time),
  error: Nullable(Type.String({ description: 'Why it fails, or what cannot be told.' })),
})

export const Integration = Type.Object(
  {
    id: Id,
    workspace_id: Id,
    type: Type.String(),
    name: Type.String(),
    config: Type.Record(Type.String(), Type.Unknown()),
    credential_fields: Type.Array(Type.String(), { description: 'Which credentials are there. What they are is never shown.' }),
    connected: Nullable(
      Type.Boolean({ description: 'Whether somebody has given their consent at the service; null where none is asked for.' }),
    ),
    health: Health,
    last_used_at: Nullable(Time),
    created_by: Nullable(Id),
    created_at: Time,
    updated_at: Time,
  },
  { title: 'Integration' },
)
export type Integration = Static<typeof Integration>

export const TestResult = Type.Object({ ...Health.properties, duration_ms: Type.Integer() }, { title: 'IntegrationTest' })
export type TestResult = Static<typeof TestResult>

export const IntegrationTypes = Type.Object({
  items: Type.Array(
    Type.Object({
      type: Type.String(),
      title: Type.String(),
      doc: Type.String(),
      config: Type.Unknown({ description: 'JSON Schema of `config`.' }),
      credentials: Type.Unknown({ description: 'JSON Schema of `credentials`.' }),
      needs_consent: Type.Boolean({ description: 'Somebody signs in at the service before it can be used: `POST …/oauth/start`.' }),
      in_requests: Type.Boolean({ description: 'Whether `http.request` can send its credential.' }),
    }),
  ),
})
