import { Type, type Static } from 'typebox'
import type { JsonObject } from '../../../lib/json.ts'
import { type Definition, NewWorkflow, Workflow } from '../schema.ts'

export const format = 'millrace.workflow'
export const format_version = 1

/** Of a file that is imported: files of other products carry more than we keep. */
export const import_limit_bytes = 6 * 1024 * 1024

const { name, description, definition, tags } = NewWorkflow.properties

const file = { format: Type.Literal(format), format_version: Type.Literal(format_version), name, description, tags }
const Version = Type.Union([Type.Integer({ minimum: 1 }), Type.Null()], { description: 'Null: the draft.' })

/** A workflow as a file. Holds ids of integrations and secrets, never what they stand for. */
export const WorkflowFile = Type.Object({ ...file, version: Type.Optional(Version), definition }, { additionalProperties: false })
export type WorkflowFile = Static<typeof WorkflowFile>

/**
 * Opaque to whatever writes the answer, so that a definition comes in the order it has. The other form is that of
 * https://github.com/serverlessworkflow/specification, version 1.0.3 of its DSL.
 */
export const ExportedFile = Type.Unsafe<JsonObject>({
  type: 'object',
  title: 'WorkflowFile',
  description:
    '`{ format: "millrace.workflow", format_version: 1, name, description, tags, version, definition }`; or a document of Serverless Workflow 1.0.3, in which `document.metadata.lost` says what it does not hold.',
})

const Outcome = Type.Union([Type.Literal('translated'), Type.Literal('changed'), Type.Literal('left_over')], {
  description: 'Means the same here; means something else, which `notes` say; or is for a person to finish.',
})
export type Outcome = Static<typeof Outcome>

export const NodeReport = Type.Object({
  node: Type.String({ description: 'Its name in the file.' }),
  type: Type.String(),
  type_version: Type.Number(),
  outcome: Outcome,
  node_ids: Type.Array(Type.String(), { description: 'What it has become.' }),
  notes: Type.Array(Type.String()),
})
export type NodeReport = Static<typeof NodeReport>

export const ExpressionReport = Type.Object({
  node: Type.String(),
  path: Type.String({ description: 'Of the parameter, as `assignments.assignments.0.value`.' }),
  original: Type.String(),
  translation: Type.Union([Type.String(), Type.Null()]),
  outcome: Outcome,
})
export type ExpressionReport = Static<typeof ExpressionReport>

export const Missing = Type.Object({
  kind: Type.Union([Type.Literal('integration'), Type.Literal('secret'), Type.Literal('workflow')]),
  id: Type.String({ format: 'uuid' }),
  node_id: Type.Union([Type.String(), Type.Null()]),
  path: Type.String({ description: 'JSON Pointer into the definition.' }),
})
export type Missing = Static<typeof Missing>

const Counts = Type.Object({ translated: Type.Integer(), changed: Type.Integer(), left_over: Type.Integer() })

export const ImportReport = Type.Object(
  {
    source: Type.Union([Type.Literal('millrace'), Type.Literal('n8n')]),
    counts: Type.Object({ nodes: Counts, expressions: Counts }),
    notes: Type.Array(Type.String(), { description: 'Of the workflow as a whole.' }),
    nodes: Type.Array(NodeReport),
    expressions: Type.Array(ExpressionReport),
    missing: Type.Array(Missing, { description: 'What the definition names and this workspace does not have.' }),
  },
  { title: 'ImportReport' },
)
export type ImportReport = Static<typeof ImportReport>

export const Imported = Type.Object({ workflow: Workflow, report: ImportReport }, { title: 'ImportedWorkflow' })

const DefinitionShown = Type.Unsafe<Definition>({ type: 'object', description: 'What would be the draft.' })

export const Tried = Type.Object(
  { name: Type.String(), description: Type.String(), tags: Type.Array(Type.String()), definition: DefinitionShown, report: ImportReport },
  { title: 'TriedImport' },
)
export type Tried = Static<typeof Tried>
