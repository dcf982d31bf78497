import { Type, type Static } from 'typebox'

const Time = Type.String({ format: 'date-time' })

export const PersonalExport = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    status: Type.Union([Type.Literal('running'), Type.Literal('ready'), Type.Literal('failed')]),
    size_bytes: Type.Union([Type.Integer(), Type.Null()]),
    created_at: Time,
    finished_at: Type.Union([Time, Type.Null()]),
    expires_at: Type.Union([Time, Type.Null()], { description: 'When it is removed.' }),
  },
  { title: 'PersonalExport' },
)
export type PersonalExport = Static<typeof PersonalExport>
