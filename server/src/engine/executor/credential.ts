import type { App } from '../../platform/context.ts'
import type { Credential } from '../../platform/outbound/credential.ts'
import { NodeFailure } from '../node.ts'

/** The credential that a step of a workspace asks for, from the module that keeps them. */
export const credentialFor = async (app: App, workspace_id: string, id: string): Promise<Credential> => {
  const find = app.modules.find(({ credentials }) => credentials !== undefined)?.credentials
  if (find === undefined) throw new NodeFailure({ code: 'integrations.missing', message: 'This server keeps no credentials' })
  return find(app.asSystem('a step uses a stored credential', workspace_id), id)
}
