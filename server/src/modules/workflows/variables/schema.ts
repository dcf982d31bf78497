import { type Static, Type } from 'typebox'
import { Id } from '../schema.ts'

export const VariableName = Type.String({
  pattern: '^[A-Za-z][A-Za-z0-9_]{0,63}$',
  description: 'As expressions name it: `region` is `vars.region`.',
})

export const VariableChange = Type.Object(
  {
    value: Type.Unknown({
      description: 'Any JSON, of 32 KiB at most. It can be read by whoever sees the workflows: what is to stay secret belongs elsewhere.',
    }),
    description: Type.Optional(Type.String({ maxLength: 500 })),
  },
  { additionalProperties: false, title: 'VariableChange' },
)
export type VariableChange = Static<typeof VariableChange>

export const Variable = Type.Object(
  {
    name: Type.String(),
    value: Type.Unknown(),
    description: Type.String(),
    updated_by: Type.Union([Id, Type.Null()]),
    created_at: Type.String({ format: 'date-time' }),
    updated_at: Type.String({ format: 'date-time' }),
  },
  { title: 'Variable' },
)
export type Variable = Static<typeof Variable>
