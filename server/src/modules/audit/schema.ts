import { Type, type Static } from 'typebox'
import { pageQuery } from '../../platform/http/paging.ts'

const Id = Type.String({ format: 'uuid' })
const Time = Type.String({ format: 'date-time' })
const Nullable = <T extends ReturnType<typeof Type.String>>(type: T) => Type.Union([type, Type.Null()])
const Json = Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.Null()])

export const Entry = Type.Object(
  {
    id: Id,
    workspace_id: Nullable(Id),
    seq: Type.Integer({ description: "The entry's number in its chain: that of the workspace, or of what belongs to none. Without gaps." }),
    at: Time,
    action: Type.String({ description: 'The name of the event: `workflows.published`.' }),
    actor_type: Type.String({ description: '`user`, `anonymous` for who was not signed in, or `system` for the product itself.' }),
    actor_id: Nullable(Id),
    actor_name: Nullable(Type.String({ description: 'The e-mail address of the account today; `erased` when there is none any more.' })),
    impersonator_id: Nullable(Type.String({ format: 'uuid', description: 'The admin who acted as that user.' })),
    impersonator_name: Nullable(Type.String()),
    target_type: Nullable(Type.String({ description: 'What it happened to: `user`, `workflow` …' })),
    target_id: Nullable(Id),
    request_id: Nullable(Type.String()),
    address: Nullable(Type.String()),
    user_agent: Nullable(Type.String()),
    data: Json,
    before: Json,
    after: Json,
    erased_at: Nullable(
      Type.String({ format: 'date-time', description: 'When what it held of a person was taken away; the chain stays whole.' }),
    ),
    previous_hash: Type.String(),
    hash: Type.String({ description: 'SHA-256 over the entry and `previous_hash`.' }),
  },
  { title: 'AuditEntry' },
)
export type Entry = Static<typeof Entry>

export const Activity = Type.Object(
  {
    id: Id,
    at: Time,
    action: Type.String(),
    by_me: Type.Boolean({ description: 'False when somebody else, or the product itself, did it to you.' }),
    impersonated: Type.Boolean({ description: 'An admin did it as you.' }),
    workspace_id: Nullable(Id),
    address: Nullable(Type.String()),
    user_agent: Nullable(Type.String()),
  },
  { title: 'Activity' },
)
export type Activity = Static<typeof Activity>

export const filters = {
  actor_id: Type.Optional(Type.String({ format: 'uuid', description: 'Who did it, or who acted as them.' })),
  action: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 100,
      pattern: '^[a-z0-9_.]*\\*?$',
      description: 'The name of an event; with a `*` at its end, the beginning of one: `identity.*`.',
    }),
  ),
  target_id: Type.Optional(Type.String({ format: 'uuid', description: 'What it happened to.' })),
  from: Type.Optional(Type.String({ format: 'date-time', description: 'At this time or later.' })),
  to: Type.Optional(Type.String({ format: 'date-time', description: 'Before this time.' })),
  request_id: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
}
const Filter = Type.Object(filters)
export type Filter = Static<typeof Filter>

/** For the admin of the installation. */
export const everywhere = {
  workspace_id: Type.Optional(
    Type.Union([Type.String({ format: 'uuid' }), Type.Literal('none')], {
      description: 'A workspace, or `none` for what belongs to no workspace.',
    }),
  ),
}

export const Format = Type.Union([Type.Literal('csv'), Type.Literal('ndjson')])
export type Format = Static<typeof Format>

export const exportQuery = {
  format: Type.Union([Type.Literal('csv'), Type.Literal('ndjson')], {
    default: 'csv',
    description: 'Comma-separated, or one JSON object per line.',
  }),
  order: Type.Union([Type.Literal('asc'), Type.Literal('desc')], { default: 'asc', description: 'Oldest or newest first.' }),
}

export const listQuery = { ...pageQuery, ...filters }
