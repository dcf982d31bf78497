import { Type, type Static } from 'typebox'
import { Email } from '../../users/schema.ts'
import { WorkspaceRole } from '../schema.ts'

const closed = { additionalProperties: false } as const
const Id = Type.String({ format: 'uuid' })
const Time = Type.String({ format: 'date-time' })
const Text = Type.Union([Type.String(), Type.Null()])

/** As the members see it who may invite. */
export const Invitation = Type.Object(
  {
    id: Id,
    workspace_id: Id,
    email: Type.String(),
    role: WorkspaceRole,
    invited_by: Id,
    created_at: Time,
    sent_at: Type.String({ format: 'date-time', description: 'When the mail with the link that works now was sent.' }),
    expires_at: Time,
  },
  { title: 'Invitation' },
)
export type Invitation = Static<typeof Invitation>

export const NewInvitation = Type.Object({ email: Email, role: WorkspaceRole }, { ...closed, title: 'NewInvitation' })
export type NewInvitation = Static<typeof NewInvitation>

const offer = {
  workspace_name: Type.String(),
  inviter_name: Text,
  inviter_username: Type.String(),
  role: WorkspaceRole,
  email: Type.String(),
  created_at: Time,
  expires_at: Time,
}

/** As the invited see it who have an account. */
export const PendingInvitation = Type.Object({ id: Id, ...offer }, { title: 'PendingInvitation' })
export type PendingInvitation = Static<typeof PendingInvitation>

/** As whoever holds the link sees it. */
export const OfferedInvitation = Type.Object(
  { ...offer, has_account: Type.Boolean({ description: 'Whether the address has an account: sign in with it, or make one.' }) },
  { title: 'OfferedInvitation' },
)
export type OfferedInvitation = Static<typeof OfferedInvitation>

export const InvitationToken = Type.String({ minLength: 1, maxLength: 200 })
