import { Type, type Static } from 'typebox'

const closed = { additionalProperties: false } as const

export const WorkspaceRole = Type.Union([Type.Literal('owner'), Type.Literal('admin'), Type.Literal('member'), Type.Literal('viewer')])

export type WorkspaceRole = Static<typeof WorkspaceRole>

const Time = Type.String({ format: 'date-time' })

export const Workspace = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    name: Type.String(),
    slug: Type.String({ description: 'Names the workspace in webhook addresses: `/hooks/{slug}/{path}`.' }),
    is_personal: Type.Boolean(),
    role: WorkspaceRole,
    deleted_at: Type.Union([Time, Type.Null()], { description: 'Null unless it was deleted and can still be restored.' }),
    purge_at: Type.Union([Time, Type.Null()], { description: 'When a deleted workspace is removed for good.' }),
    created_at: Time,
    updated_at: Time,
  },
  { title: 'Workspace', description: 'A workspace as one of its members sees it; `role` is theirs.' },
)
export type Workspace = Static<typeof Workspace>

const Name = Type.String({ minLength: 1, maxLength: 200, pattern: '\\S' })
const Slug = Type.String({
  minLength: 1,
  maxLength: 48,
  pattern: '^[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?$',
  description: 'Lower-case letters, digits and hyphens.',
})

export const NewWorkspace = Type.Object(
  { name: Name, slug: Type.Optional(Slug) },
  { ...closed, title: 'NewWorkspace', description: 'Without a slug one is made from the name.' },
)
export type NewWorkspace = Static<typeof NewWorkspace>

/** A field that is not given stays. */
export const WorkspaceChange = Type.Object(
  { name: Type.Optional(Name), slug: Type.Optional(Slug) },
  { ...closed, minProperties: 1, title: 'WorkspaceChange' },
)
export type WorkspaceChange = Static<typeof WorkspaceChange>

export const Member = Type.Object(
  {
    user_id: Type.String({ format: 'uuid' }),
    email: Type.String(),
    username: Type.String(),
    name: Type.Union([Type.String(), Type.Null()]),
    avatar_url: Type.Union([Type.String(), Type.Null()]),
    is_active: Type.Boolean({ description: 'False while the account is switched off.' }),
    role: WorkspaceRole,
    created_at: Type.String({ format: 'date-time', description: 'When they joined.' }),
  },
  { title: 'Member' },
)
export type Member = Static<typeof Member>

export const MemberChange = Type.Object({ role: WorkspaceRole }, { ...closed, title: 'MemberChange' })

export const Transfer = Type.Object(
  { user_id: Type.String({ format: 'uuid', description: 'A member of the workspace, who becomes an owner of it.' }) },
  { ...closed, title: 'Transfer' },
)
