import type { Ctx } from '../../../platform/context.ts'
import * as publishing from '../publish.ts'
import { get } from '../workflows.ts'
import { format, format_version, type WorkflowFile } from './schema.ts'

/** The draft, or a published version. Errors: 404 `workflows.not_found`, 404 `workflows.version_not_found`. */
export const exportWorkflow = async (ctx: Ctx, id: string, version: number | undefined): Promise<Required<WorkflowFile>> => {
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

/** A name for the file that every file system takes. */
export const fileName = (name: string, ending: string): string => {
  const plain = name
    .normalize('NFKD')
    .replaceAll(/[^A-Za-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 80)
  return `${plain === '' ? 'workflow' : plain.toLowerCase()}.${ending}`
}
