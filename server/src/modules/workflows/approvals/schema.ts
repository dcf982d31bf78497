import { type Static, Type } from 'typebox'
import { Id } from '../schema.ts'

const Nullable = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) => Type.Union([schema, Type.Null()])
const Time = Type.String({ format: 'date-time' })

const Field = Type.Object(
  {
    type: Type.Unsafe<'string' | 'number' | 'integer' | 'boolean'>({
      type: 'string',
      format: 'literal',
      enum: ['string', 'number', 'integer', 'boolean'],
    }),
    title: Type.Optional(Type.String({ maxLength: 200 })),
    enum: Type.Optional(Type.Array(Type.Union([Type.String({ maxLength: 200 }), Type.Number()]), { minItems: 1, maxItems: 100 })),
    maxLength: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000 })),
    minimum: Type.Optional(Type.Number()),
    maximum: Type.Optional(Type.Number()),
  },
  { additionalProperties: false },
)

/** The part of JSON Schema that a form needs: one object of plain fields. */
export const Form = Type.Object(
  {
    type: Type.Optional(Type.Unsafe<'object'>({ type: 'string', format: 'literal', enum: ['object'] })),
    properties: Type.Record(Type.String({ pattern: '^[A-Za-z][A-Za-z0-9_]{0,63}$' }), Field, { maxProperties: 50 }),
    required: Type.Optional(Type.Array(Type.String({ maxLength: 64 }), { maxItems: 50 })),
  },
  { additionalProperties: false, description: 'JSON Schema of an object of plain fields.' },
)
export type Form = Static<typeof Form>

/** Ids or addresses of members. */
export const Approvers = (description: string) =>
  Type.Array(Type.String({ minLength: 1, maxLength: 254 }), { minItems: 1, maxItems: 50, description })

export const Escalation = Type.Object(
  {
    after_ms: Type.Integer({ minimum: 1_000, maximum: 31_622_400_000, description: 'While it is open for so long.' }),
    to: Approvers('Ids or addresses of members, who may decide as well from then on.'),
    repeat: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 10, default: 0, description: 'They are asked so many times more, each after the same time.' }),
    ),
  },
  { additionalProperties: false, description: 'Whom else to ask when not enough have decided.' },
)
export type Escalation = Static<typeof Escalation>

export const Decision = Type.Object({
  user_id: Id,
  decision: Type.Union([Type.Literal('approve'), Type.Literal('reject')]),
  comment: Nullable(Type.String()),
  form: Type.Unknown(),
  created_at: Time,
})
export type Decision = Static<typeof Decision>

export const Approval = Type.Object(
  {
    id: Id,
    workflow_id: Id,
    execution_id: Id,
    node_id: Type.String(),
    message: Type.String(),
    form: Type.Unknown({ description: 'JSON Schema of what goes with a decision, or null.' }),
    approvers: Type.Array(Id, { description: 'All who are asked, those whom it was escalated to included.' }),
    needed: Type.Integer({ description: 'So many must approve.' }),
    status: Type.Union([Type.Literal('open'), Type.Literal('approved'), Type.Literal('rejected'), Type.Literal('expired')]),
    expires_at: Nullable(Time),
    escalates_at: Nullable(Type.String({ format: 'date-time', description: 'When others are asked next, if it is still open then.' })),
    escalated_at: Nullable(Type.String({ format: 'date-time', description: 'When others were asked last.' })),
    escalations: Type.Integer({ description: 'How often others were asked.' }),
    created_at: Time,
    decided_at: Nullable(Time),
    decisions: Type.Array(Decision),
  },
  { title: 'Approval' },
)
export type Approval = Static<typeof Approval>

export const NewDecision = Type.Object(
  {
    decision: Decision.properties.decision,
    comment: Type.Optional(Type.String({ minLength: 1, maxLength: 2_000 })),
    form: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  },
  { additionalProperties: false, title: 'NewDecision' },
)
export type NewDecision = Static<typeof NewDecision>
