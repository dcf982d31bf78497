import { Compile } from 'typebox/compile'
import { schemaProblems } from '../../../engine/schema-problems.ts'
import type { JsonObject } from '../../../lib/json.ts'
import type { Ctx } from '../../../platform/context.ts'
import { errors } from '../errors.ts'
import * as events from '../events.ts'
import type { NewWorkflow, Workflow } from '../schema.ts'
import { create, type Revised } from '../workflows.ts'
import { mentionsOf } from './mentions.ts'
import { convert } from './n8n/convert.ts'
import { isN8n } from './n8n/file.ts'
import { format, type ImportReport, type Missing, type Tried, WorkflowFile } from './schema.ts'
import { knownIds } from './store.ts'

interface Read {
  readonly workflow: NewWorkflow
  readonly report: Omit<ImportReport, 'missing'>
}

const fits = Compile(WorkflowFile)
const none = { translated: 0, changed: 0, left_over: 0 }

const ownFile = (file: JsonObject): Read => {
  if (!fits.Check(file)) {
    const problems = schemaProblems(WorkflowFile, file)
    throw unreadable('The file is not a workflow of this format.', problems)
  }
  const { name, description, tags, definition } = file
  const workflow: NewWorkflow = {
    name,
    definition,
    ...(description === undefined ? {} : { description }),
    ...(tags === undefined ? {} : { tags }),
  }
  return { workflow, report: { source: 'millrace', counts: { nodes: none, expressions: none }, notes: [], nodes: [], expressions: [] } }
}

const unreadable = (detail: string, problems: readonly { readonly path: string; readonly message: string }[]): Error =>
  errors.file_unreadable({ detail, errors: problems.slice(0, 100).map(({ path, message }) => ({ path, message })) })

const read = async (file: JsonObject): Promise<Read> => {
  if (file['format'] === format) return ownFile(file)
  if (isN8n(file)) return n8nFile(file)
  throw unreadable('This is no workflow that can be read.', [
    { path: 'format', message: `must be "${format}"; of n8n, there are "nodes" and "connections"` },
  ])
}

const n8nFile = async (file: JsonObject): Promise<Read> => {
  const converted = await convert(file)
  if ('problems' in converted) throw unreadable('This workflow of n8n cannot be taken over.', converted.problems)
  return converted
}

const missingOf = async (ctx: Ctx, mentions: readonly Missing[]): Promise<Missing[]> => {
  const kinds = ['integration', 'secret', 'workflow'] as const
  const known = await Promise.all(
    kinds.map((kind) => knownIds(ctx.db, kind, [...new Set(mentions.flatMap((each) => (each.kind === kind ? [each.id] : [])))])),
  )
  return mentions.filter(({ kind, id }) => known[kinds.indexOf(kind)]?.has(id.toLowerCase()) !== true)
}

/** What importing the file would give. Errors: 422 `workflows.file_unreadable`. */
export const tryImport = async (ctx: Ctx, file: JsonObject): Promise<Tried> => {
  const { workflow, report } = await read(file)
  const { name, description = '', tags = [], definition } = workflow
  return { name, description, tags, definition, report: { ...report, missing: await missingOf(ctx, mentionsOf(definition)) } }
}

/** Makes a draft of the file. Errors: 422 `workflows.file_unreadable`, 422 `workflows.definition_too_large`. */
export const importWorkflow = async (ctx: Ctx, file: JsonObject): Promise<{ workflow: Revised<Workflow>; report: ImportReport }> => {
  const { report, ...input } = await tryImport(ctx, file)
  return ctx.tx(async (tx) => {
    const workflow = await create(tx, input)
    const { id, name, revision } = workflow
    tx.emit(events.imported, { workflow_id: id, name, revision, source: report.source, left_over: report.counts.nodes.left_over })
    return { workflow, report }
  })
}
