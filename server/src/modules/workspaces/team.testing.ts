import type { WorkspaceRole } from '../../platform/context.ts'
import { memberAdded } from './events.ts'
import type { TestApp, TestReply, TestUser } from '../../test-app.ts'

/** A workspace of some people, made through the front door except for how they joined. */
export interface Team {
  readonly id: string
  /** `/api/v1/workspaces/<id>` and the rest of the path, as this user. */
  readonly as: (user: TestUser) => (method: string, path?: string, body?: unknown) => Promise<TestReply>
  /** Lets somebody join as if they had accepted an invitation long ago. */
  readonly join: (user: TestUser, role: WorkspaceRole) => Promise<void>
}

export const makeTeam = async (mill: TestApp, owner: TestUser, name = 'Team'): Promise<Team> => {
  const { status, body } = await owner.call('POST', '/api/v1/workspaces', { body: { name } })
  if (status !== 201) throw new Error(`No team was made: ${JSON.stringify(body)}`)
  const id = body.id as string
  return {
    id,
    as:
      (user) =>
      (method, path = '', sent) =>
        user.call(method, `/api/v1/workspaces/${id}${path}`, sent === undefined ? {} : { body: sent }),
    join: async (user, role) => {
      await mill.database.owner`
        insert into workspace_members (workspace_id, user_id, role, created_at)
        values (${id}, ${user.id}, ${role}, now())`
      await mill.app
        .asSystem('a test lets somebody join', id)
        .tx(async (tx) => tx.emit(memberAdded, { workspace_id: id, user_id: user.id, role }))
    },
  }
}
