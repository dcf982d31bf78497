import { type Static, Type } from 'typebox'
import { Id } from '../schema.ts'

const Name = Type.String({ minLength: 1, maxLength: 100, pattern: '\\S', description: 'One of a kind in the workspace.' })
const Value = Type.String({
  minLength: 1,
  maxLength: 10_000,
  // A line break at the end comes with what was copied, and makes every signature wrong.
  pattern: '^\\S(?:[^\\r\\n]*\\S)?$',
  description: 'Never shown again. One line, without space around it.',
})
const longest_previous_s = 30 * 86_400

export const NewSecret = Type.Object({ name: Name, value: Value }, { additionalProperties: false, title: 'NewSecret' })
export type NewSecret = Static<typeof NewSecret>

export const SecretChange = Type.Object(
  {
    name: Type.Optional(Name),
    value: Type.Optional(Value),
    keep_previous_s: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: longest_previous_s,
        default: 86_400,
        description: 'How long the value before counts beside the new one.',
      }),
    ),
  },
  { additionalProperties: false, minProperties: 1, title: 'SecretChange' },
)
export type SecretChange = Static<typeof SecretChange>

/** Without its value. */
export const Secret = Type.Object(
  {
    id: Id,
    name: Type.String(),
    previous_until: Type.Union([Type.String({ format: 'date-time' }), Type.Null()], {
      description: 'Until then the value before counts as well.',
    }),
    created_by: Type.Union([Id, Type.Null()]),
    created_at: Type.String({ format: 'date-time' }),
    updated_at: Type.String({ format: 'date-time' }),
  },
  { title: 'Secret' },
)
export type Secret = Static<typeof Secret>
