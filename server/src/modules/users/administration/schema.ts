import { Type, type Static } from 'typebox'
import { pageQuery } from '../../../platform/http/paging.ts'
import { Plan, Role } from '../schema.ts'

export const UserFilter = Type.Object({
  ...pageQuery,
  role: Type.Optional(Role),
  plan: Type.Optional(Plan),
  status: Type.Optional(Type.Union([Type.Literal('active'), Type.Literal('inactive')])),
  search: Type.Optional(
    Type.String({ minLength: 1, maxLength: 200, description: 'A part of the e-mail address, the username or the name.' }),
  ),
})
export type UserFilter = Static<typeof UserFilter>

export const RoleChange = Type.Object(
  {
    role: Type.Union([Type.Literal('admin'), Type.Literal('user'), Type.Literal('premium')], {
      description: '`premium` is a plan, not a role: it sets the plan and leaves the role.',
    }),
  },
  { additionalProperties: false, title: 'RoleChange' },
)
export type RoleChange = Static<typeof RoleChange>

export const PlanChange = Type.Object({ plan: Plan }, { additionalProperties: false, title: 'PlanChange' })

const Figures = Type.Record(Type.String(), Type.Union([Type.Number(), Type.String(), Type.Null()]))

export const UserStatistics = Type.Record(Type.String(), Figures, {
  title: 'UserStatistics',
  description: 'By what is counted (`sign_ins`, `executions`, …), the figures of it. The reference lists them.',
})

const Count = Type.Integer({ minimum: 0 })

export const SystemStatistics = Type.Object(
  {
    users: Type.Object({
      total: Count,
      active: Count,
      inactive: Count,
      verified: Count,
      made_last_7_days: Count,
      made_last_30_days: Count,
    }),
    by_role: Type.Record(Type.String(), Count),
    by_plan: Type.Record(Type.String(), Count),
    more: Type.Record(Type.String(), Figures, { description: 'What other modules count of the installation: `activity`, `executions`, …' }),
  },
  { title: 'SystemStatistics' },
)
export type SystemStatistics = Static<typeof SystemStatistics>
