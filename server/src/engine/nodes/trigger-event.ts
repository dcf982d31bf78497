import { Type, type Static } from 'typebox'
import { expressionCompiler } from '../expression/expression.ts'
import { trigger } from '../node.ts'

export const EventTriggerConfig = Type.Object(
  {
    name: Type.String({
      format: 'literal',
      maxLength: 200,
      pattern: '^[a-z][a-z0-9_]*(\\.[a-z0-9_]+)*(\\.\\*)?$',
      description: 'Of the event, as `users.registered`; `workspaces.*` for all that begin so.',
    }),
    where: Type.Optional(
      Type.String({
        format: 'expression',
        minLength: 1,
        description: 'Which of them: an expression over `trigger`, the event. One that cannot be evaluated for an event does not match it.',
      }),
    ),
  },
  { additionalProperties: false },
)
export type EventTriggerConfig = Static<typeof EventTriggerConfig>

/** All that `where` may name. */
export const where_roots: ReadonlySet<'trigger'> = new Set(['trigger'])

export const eventTrigger = trigger({
  type: 'trigger.event',
  title: 'Event',
  description:
    'Starts when something happens in the workspace: on each event of a name, once. The events are those of the reference that go into the audit; how executions end is for `trigger.failure`.',
  icon: 'bolt',
  config: EventTriggerConfig,
  check: (config) => {
    const { where } = config as EventTriggerConfig
    if (where === undefined) return []
    const compiled = expressionCompiler(where_roots).expression(where)
    if (!compiled.ok) return [{ path: '/where', message: `Here only "trigger" is known, the event. ${compiled.error.message}` }]
    const { kind } = compiled.expression
    return kind === null || kind === 'bool' ? [] : [{ path: '/where', message: 'A condition must give true or false' }]
  },
  output: Type.Object({
    id: Type.String({ format: 'uuid' }),
    name: Type.String(),
    created_at: Type.String({ format: 'date-time' }),
    actor: Type.Object({ type: Type.String(), id: Type.Union([Type.String(), Type.Null()]) }),
    data: Type.Unknown({ description: 'As the reference of events says.' }),
    millrace_hops: Type.Integer({ description: 'How many workflows led to it, one by the other.' }),
  }),
  example: {
    config: { name: 'workspaces.member.added', where: 'trigger.data.role == "admin"' },
    trigger: {
      id: '019aa0f0-8c3e-7a5b-9c1d-2f3e4d5c6b7a',
      name: 'workspaces.member.added',
      created_at: '2026-11-20T09:50:00.123Z',
      actor: { type: 'user', id: '019aa0f0-0000-7000-8000-000000000001' },
      data: {
        workspace_id: '019aa0f0-0000-7000-8000-000000000002',
        user_id: '019aa0f0-0000-7000-8000-000000000003',
        role: 'admin',
      },
      millrace_hops: 0,
    },
  },
})
