import { Type } from 'typebox'
import { defineEvent } from '../../platform/events/event.ts'
import { Plan, Role } from './schema.ts'

const Id = Type.String({ format: 'uuid' })

export const registered = defineEvent({
  name: 'users.registered',
  doc: 'An account was made.',
  of_installation: true,
  data: Type.Object({ user_id: Id, email: Type.String(), username: Type.String(), role: Role, plan: Plan }),
})

export const profileUpdated = defineEvent({
  name: 'users.profile.updated',
  doc: 'A user changed their profile. Says which fields, not their values.',
  data: Type.Object({ user_id: Id, fields: Type.Array(Type.String()) }),
})

export const statusChanged = defineEvent({
  name: 'users.status.changed',
  doc: 'An admin switched an account off or on. Switched off, its sessions have ended.',
  data: Type.Object({ user_id: Id, is_active: Type.Boolean(), changed_by: Id }),
})

export const roleChanged = defineEvent({
  name: 'users.role.changed',
  doc: 'An admin made somebody an admin, or an ordinary user again.',
  data: Type.Object({ user_id: Id, role: Role }),
})

export const planChanged = defineEvent({
  name: 'users.plan.changed',
  doc: 'An account was put on another plan.',
  data: Type.Object({ user_id: Id, plan: Plan }),
})
