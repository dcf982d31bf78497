import { Type, type Static } from 'typebox'

export const WorkspaceRole = Type.Union([Type.Literal('owner'), Type.Literal('admin'), Type.Literal('member'), Type.Literal('viewer')])

export type WorkspaceRole = Static<typeof WorkspaceRole>

export const Workspace = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    name: Type.String(),
    slug: Type.String({ description: 'Names the workspace in webhook addresses: `/hooks/{slug}/{path}`.' }),
    is_personal: Type.Boolean(),
    role: WorkspaceRole,
    created_at: Type.String({ format: 'date-time' }),
    updated_at: Type.String({ format: 'date-time' }),
  },
  { title: 'Workspace', description: 'A workspace as one of its members sees it; `role` is theirs.' },
)
export type Workspace = Static<typeof Workspace>
