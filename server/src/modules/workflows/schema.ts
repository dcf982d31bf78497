import { Type, type Static, type TSchema } from 'typebox'
import { Definition as EngineDefinition, type Definition, limits } from '../../engine/graph/definition.ts'
import { ExecutionView } from '../../engine/history.ts'
import { QueueCounts } from '../../engine/lines/queue-view.ts'

export type { Definition } from '../../engine/graph/definition.ts'
export type { FormConfig } from '../../engine/nodes/trigger-form.ts'
export type { KeepRequests, WebhookAuth, WebhookDedupe } from '../../engine/nodes/trigger-webhook.ts'

export const Id = Type.String({ format: 'uuid' })
const Time = Type.String({ format: 'date-time' })
const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])

export const Status = Type.Union([Type.Literal('draft'), Type.Literal('active'), Type.Literal('paused'), Type.Literal('archived')])
export type Status = Static<typeof Status>

/** The same schema, saying nothing of defaults: a draft is kept as it was written, not filled in. */
const withoutDefaults = (schema: unknown): unknown => {
  if (Array.isArray(schema)) return schema.map(withoutDefaults)
  if (typeof schema !== 'object' || schema === null) return schema
  return Object.fromEntries(Object.entries(schema).flatMap(([key, value]) => (key === 'default' ? [] : [[key, withoutDefaults(value)]])))
}

const DefinitionInput = Type.Unsafe<Definition>(withoutDefaults(EngineDefinition) as TSchema)
const DefinitionOutput = Type.Unsafe<Definition>({
  type: 'object',
  description: 'Nodes and edges, as `GET /workflows/definition.schema.json` describes them.',
})

/** Of a request that carries a definition: the largest one, and the rest around it. */
export const body_limit_bytes = limits.bytes + 65_536

const Name = Type.String({ minLength: 1, maxLength: 200, pattern: '\\S' })
const Description = Type.String({ maxLength: 10_000 })
const Tags = Type.Array(Type.String({ minLength: 1, maxLength: 50, pattern: '\\S' }), { maxItems: 50, uniqueItems: true })

export const NewWorkflow = Type.Object(
  { name: Name, description: Type.Optional(Description), definition: DefinitionInput, tags: Type.Optional(Tags) },
  { additionalProperties: false, title: 'NewWorkflow' },
)
export type NewWorkflow = Static<typeof NewWorkflow>

export const WorkflowChange = Type.Object(
  {
    name: Type.Optional(Name),
    description: Type.Optional(Description),
    definition: Type.Optional(DefinitionInput),
    tags: Type.Optional(Tags),
  },
  { additionalProperties: false, minProperties: 1, title: 'WorkflowChange' },
)
export type WorkflowChange = Static<typeof WorkflowChange>

export const Trigger = Type.Object({
  node_id: Type.String(),
  type: Type.String(),
  url: Type.Optional(Type.String({ description: 'Where a webhook listens, or where a form is shown.' })),
  next_run_at: Type.Optional(
    Nullable(Type.String({ format: 'date-time', description: 'When a schedule fires next; null while it does not.' })),
  ),
})
export type Trigger = Static<typeof Trigger>

const summary = {
  id: Id,
  workspace_id: Id,
  name: Type.String(),
  description: Type.String(),
  status: Status,
  version: Nullable(Type.Integer({ description: 'The published version.' })),
  tags: Type.Array(Type.String()),
  created_by: Nullable(Id),
  created_at: Time,
  updated_at: Time,
  triggers: Type.Array(Trigger, { description: 'Of the published version; of the draft before the first publish.' }),
}

const execution = {
  id: Id,
  workflow_id: Id,
  version: Type.Integer(),
  status: ExecutionView.properties.status,
  mode: ExecutionView.properties.mode,
  trigger: ExecutionView.properties.trigger,
  error: ExecutionView.properties.error,
  started_at: Time,
  finished_at: Nullable(Time),
  duration_ms: Nullable(Type.Integer()),
  paused_at: ExecutionView.properties.paused_at,
  dismissed_at: ExecutionView.properties.dismissed_at,
}

/** An execution without its steps. */
export const Execution = Type.Object(
  { ...execution, input: ExecutionView.properties.input, output: ExecutionView.properties.output },
  { title: 'Execution' },
)
export type Execution = Static<typeof Execution>

/** A line of a list: no definition. */
export const WorkflowSummary = Type.Object(summary, { title: 'WorkflowSummary' })
export type WorkflowSummary = Static<typeof WorkflowSummary>

export const Workflow = Type.Object(
  {
    ...summary,
    definition: DefinitionOutput,
    last_execution: Type.Optional(Nullable(Type.Object(execution))),
    queue: Type.Optional(Nullable(QueueCounts)),
  },
  { title: 'Workflow' },
)
export type Workflow = Static<typeof Workflow>

const version = {
  workflow_id: Id,
  version: Type.Integer(),
  note: Nullable(Type.String()),
  created_by: Nullable(Id),
  created_at: Time,
  triggers: Type.Array(Trigger),
}

export const VersionSummary = Type.Object(version, { title: 'WorkflowVersionSummary' })
export type VersionSummary = Static<typeof VersionSummary>

export const Version = Type.Object({ ...version, definition: DefinitionOutput }, { title: 'WorkflowVersion' })
export type Version = Static<typeof Version>

export const NewVersion = Type.Object(
  { note: Type.Optional(Type.String({ maxLength: 2_000, description: 'What changed.' })) },
  { additionalProperties: false, title: 'NewVersion' },
)

export const Problems = Type.Object({
  problems: Type.Array(
    Type.Object({
      node_id: Type.Optional(Type.String()),
      path: Type.String({ description: 'JSON Pointer into the definition: `/nodes/2/config/url`.' }),
      severity: Type.Union([Type.Literal('error'), Type.Literal('warning')]),
      message: Type.String(),
    }),
  ),
})
export type Problem = Static<typeof Problems>['problems'][number]

export const StartExecution = Type.Object(
  {
    input: Type.Optional(Type.Unknown({ description: 'What `trigger` is in expressions; an empty object when not given.' })),
    wait_ms: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 60_000, description: 'How long to wait for the end before answering 202.' }),
    ),
    priority: Type.Optional(
      Type.Integer({
        minimum: -100,
        maximum: 100,
        description: 'Where it is queued, the higher one begins first; that of the workflow when not given.',
      }),
    ),
  },
  { additionalProperties: false, title: 'StartExecution' },
)
