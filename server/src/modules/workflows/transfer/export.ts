import { checkInTurns } from '../../../engine/check.ts'
import { nodeTypes } from '../../../engine/engine.ts'
import type { Ctx } from '../../../platform/context.ts'
import { errors } from '../errors.ts'
import * as publishing from '../publish.ts'
import * as workspaces from '../../workspaces/workspaces.ts'
import { get, workspaceOf } from '../workflows.ts'
import { format, format_version, type WorkflowFile } from './schema.ts'
import { serverless } from './serverless/document.ts'

/** The draft, or a published version. Errors: 404 `workflows.not_found`, 404 `workflows.version_not_found`. */
export const exportWorkflow = async (
  ctx: Ctx,
  id: string,
  version: number | undefined,
): Promise<Required<WorkflowFile> & { readonly description: string }> => {
  const { name, description, tags, definition } = await get(ctx, id)
  const published = version === undefined ? null : await publishing.version(ctx, id, version)
  return {
    format,
    format_version,
    name,
    description,
    tags,
    version: published?.version ?? null,
    definition: published?.definition ?? definition,
  }
}

/** The same as a document of Serverless Workflow. Errors: as above, 422 `workflows.not_structured`, 422 `workflows.not_publishable`. */
export const exportServerless = async (
  ctx: Ctx,
  id: string,
  version: number | undefined,
): Promise<{ readonly name: string; readonly document: object }> => {
  const { name, description, definition, version: number } = await exportWorkflow(ctx, id, version)
  // What a draft holds may be anything; what has been checked holds what it says.
  const { problems } = await checkInTurns(definition, { nodeTypes: ctx.use(nodeTypes) })
  const mistakes = problems.filter(({ severity }) => severity === 'error')
  if (mistakes.length > 0) throw errors.not_publishable({ errors: mistakes.slice(0, 100).map(({ path, message }) => ({ path, message })) })
  const workspace_id = workspaceOf(ctx)
  const namespace = (await workspaces.slugsOf(ctx, [workspace_id])).get(workspace_id) ?? 'default'
  const { document, tangled } = serverless(definition, { id, name, description, version: number, namespace })
  if (tangled.length === 0) return { name, document }
  const places = tangled.slice(0, 100).map(({ node_id, why }) => {
    const index = definition.nodes.findIndex((node) => node.id === node_id)
    return { path: index === -1 ? 'definition' : `definition.nodes.${index}`, message: node_id === '' ? why : `"${node_id}": ${why}` }
  })
  throw errors.not_structured({
    detail: places
      .slice(0, 3)
      .map(({ message }) => message)
      .join(' '),
    errors: places,
  })
}

/** A name for the file that every file system takes. */
export const fileName = (name: string, ending: string): string => {
  const plain = name
    .normalize('NFKD')
    .replaceAll(/[^A-Za-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 80)
  return `${plain === '' ? 'workflow' : plain.toLowerCase()}.${ending}`
}
