import { type Static, Type } from 'typebox'
import { ExecutionSummary, executionStatuses } from '../../../engine/history.ts'
import { Id } from '../schema.ts'

export const verbs = ['cancel', 'retry', 'fork', 'pause', 'resume', 'dismiss'] as const
export type Verb = (typeof verbs)[number]

/** Executions of one call: named, or found by a filter. */
export const most = { named: 1_000, found: 10_000, open: 10 } as const

const Time = (description: string) => Type.Optional(Type.String({ format: 'date-time', description }))

export const BulkFilter = Type.Object(
  {
    workflow_id: Type.Optional(Id),
    status: Type.Optional(Type.Array(Type.Union(executionStatuses.map((status) => Type.Literal(status))), { minItems: 1, maxItems: 7 })),
    mode: Type.Optional(ExecutionSummary.properties.mode),
    trigger: Type.Optional(Type.String({ minLength: 1, maxLength: 100, description: 'Type of the trigger: `trigger.webhook`.' })),
    version: Type.Optional(Type.Integer({ minimum: 1, maximum: 2_147_483_647 })),
    from: Time('Started at this time or later.'),
    to: Time('Started before this time.'),
    error: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
    error_code: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
    dead: Type.Optional(Type.Literal(true, { description: 'Dead letters alone.' })),
  },
  { additionalProperties: false, minProperties: 1 },
)
export type BulkFilter = Static<typeof BulkFilter>

export const NewBulk = Type.Object(
  {
    ids: Type.Optional(Type.Array(Id, { minItems: 1, maxItems: most.named, uniqueItems: true })),
    filter: Type.Optional(BulkFilter),
    node_id: Type.Optional(Type.String({ minLength: 1, maxLength: 64, description: 'Of `fork`: where the new executions go on.' })),
    version: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 2_147_483_647,
        description: 'Of `fork`: the version onto which; that of each execution when not given.',
      }),
    ),
  },
  { additionalProperties: false, title: 'NewBulk' },
)
export type NewBulk = Static<typeof NewBulk>

const Nullable = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) => Type.Union([schema, Type.Null()])

export const BulkItem = Type.Object({
  id: Id,
  ok: Nullable(Type.Boolean({ description: 'Null: it has not been its turn.' })),
  code: Type.Optional(Type.String({ description: 'Why not, as the call for one execution says it.' })),
  new_execution_id: Type.Optional(Id),
})
export type BulkItem = Static<typeof BulkItem>

export const Bulk = Type.Object(
  {
    id: Id,
    verb: Type.Unsafe<Verb>({ type: 'string', enum: [...verbs] }),
    status: Type.Unsafe<'running' | 'done'>({ type: 'string', enum: ['running', 'done'] }),
    total: Type.Integer(),
    succeeded: Type.Integer(),
    failed: Type.Integer(),
    created_at: Type.String({ format: 'date-time' }),
    finished_at: Nullable(Type.String({ format: 'date-time' })),
    items: Type.Array(BulkItem),
    next_item: Nullable(Type.Integer({ description: 'There are more: give it as `from_item` to read on.' })),
  },
  { title: 'Bulk' },
)
export type Bulk = Static<typeof Bulk>
