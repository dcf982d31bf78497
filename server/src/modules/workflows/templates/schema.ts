import { type Static, Type } from 'typebox'
import type { Json, JsonObject } from '../../../lib/json.ts'
import { DefinitionEdge, limits } from '../../../engine/graph/definition.ts'
import { type Validate, validatorOf } from '../../../platform/http/validate.ts'
import { Id, NewWorkflow } from '../schema.ts'

const closed = { additionalProperties: false } as const
const Time = Type.String({ format: 'date-time' })
const one_of = <const Value extends string>(...values: Value[]) => Type.Unsafe<Value>({ type: 'string', enum: values })

const Title = Type.String({ minLength: 1, maxLength: 200, pattern: '\\S' })
const Description = Type.String({ maxLength: 10_000 })
const Category = Type.String({ minLength: 1, maxLength: 50, pattern: '\\S' })
const Icon = Type.String({ minLength: 1, maxLength: 50, pattern: '^[a-z0-9-]+$', description: 'Name of an icon, as node types have them.' })

/** Of a template: a slug of those that come with the product, a UUID of a workspace's own. */
export const TemplateId = Type.String({ minLength: 1, maxLength: 64, pattern: '^[a-z0-9]+(-[a-z0-9]+)*$' })

const Plain = one_of('string', 'number', 'integer', 'boolean')

/** The part of JSON Schema that a value to fill in needs. */
export const ParameterSchema = Type.Object(
  {
    type: one_of('string', 'number', 'integer', 'boolean', 'array', 'object'),
    enum: Type.Optional(Type.Array(Type.Union([Type.String({ maxLength: 200 }), Type.Number()]), { minItems: 1, maxItems: 100 })),
    format: Type.Optional(one_of('uri', 'email', 'uuid')),
    maxLength: Type.Optional(Type.Integer({ minimum: 1, maximum: 65_536 })),
    minimum: Type.Optional(Type.Number()),
    maximum: Type.Optional(Type.Number()),
    items: Type.Optional(Type.Object({ type: Plain }, closed)),
    maxItems: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000 })),
  },
  { ...closed, description: 'JSON Schema, as much of it as a value needs.' },
)
export type ParameterSchema = Static<typeof ParameterSchema>

export const Parameter = Type.Object(
  {
    name: Type.String({ maxLength: 64, pattern: '^[a-z][a-z0-9_]*$', description: 'What `{ "$parameter": name }` stands for.' }),
    title: Title,
    description: Type.Optional(Type.String({ maxLength: 1_000 })),
    schema: ParameterSchema,
    default: Type.Optional(
      Type.Unsafe<Json>(
        Type.Unknown({ description: 'Without it a value has to be given. Null: the field is left out unless a value is given.' }),
      ),
    ),
    integration_type: Type.Optional(
      Type.String({ minLength: 1, maxLength: 50, description: 'The value is the id of an integration of the workspace, of this type.' }),
    ),
    refers_to: Type.Optional(
      Type.Unsafe<'secret' | 'workflow'>({
        type: 'string',
        enum: ['secret', 'workflow'],
        description: 'The value is the id of a secret or of a workflow of the workspace.',
      }),
    ),
  },
  { ...closed, title: 'TemplateParameter' },
)
export type Parameter = Static<typeof Parameter>

const Parameters = Type.Array(Parameter, { maxItems: 100 })

/** As a workflow's definition, with `{ "$parameter": name }` in the place of a value. It is checked when it is used. */
export const TemplateDefinition = Type.Object(
  {
    nodes: Type.Array(Type.Unsafe<JsonObject>({ type: 'object' }), { maxItems: limits.nodes }),
    edges: Type.Array(DefinitionEdge, { maxItems: limits.edges }),
    settings: Type.Optional(Type.Unsafe<JsonObject>({ type: 'object' })),
  },
  { ...closed, description: 'Nodes, edges and settings, with `{ "$parameter": name }` wherever a value is filled in.' },
)
export type TemplateDefinition = Static<typeof TemplateDefinition>

/** Refuses `{ definition }` with 422 where what was filled in makes no definition of a workflow. */
export const definitionFits: Validate = validatorOf(Type.Object({ definition: NewWorkflow.properties.definition }) as never)

const Tests = Type.Array(Type.Unsafe<JsonObject>({ type: 'object' }), { maxItems: 1_000 })

const summary = {
  id: TemplateId,
  title: Type.String(),
  description: Type.String(),
  category: Type.String(),
  icon: Type.String(),
  parameters: Parameters,
  needs: Type.Object(
    {
      integrations: Type.Array(Type.String(), { description: 'Types of which an integration has to be named.' }),
      secrets: Type.Array(Type.String(), { description: 'Parameters that need a secret of the workspace.' }),
    },
    { description: 'What has to be there before the template is used.' },
  ),
  built_in: Type.Boolean({ description: 'It comes with the product.' }),
  created_by: Type.Union([Id, Type.Null()]),
  created_at: Type.Union([Time, Type.Null()]),
  updated_at: Type.Union([Time, Type.Null()]),
}

/** A line of a list. */
export const TemplateSummary = Type.Object(summary, { title: 'TemplateSummary' })
export type TemplateSummary = Static<typeof TemplateSummary>

export const Template = Type.Object(
  {
    ...summary,
    definition: Type.Unsafe<TemplateDefinition>({
      type: 'object',
      description: 'Nodes, edges and settings, with `{ "$parameter": name }` wherever a value is filled in.',
    }),
    tests: Type.Unsafe<readonly JsonObject[]>({ type: 'array', items: { type: 'object' } }),
  },
  { title: 'Template' },
)
export type Template = Static<typeof Template>

export const TemplateChange = Type.Object(
  {
    title: Type.Optional(Title),
    description: Type.Optional(Description),
    category: Type.Optional(Category),
    icon: Type.Optional(Icon),
    parameters: Type.Optional(Parameters),
    definition: Type.Optional(TemplateDefinition),
    tests: Type.Optional(Tests),
  },
  { ...closed, minProperties: 1, title: 'TemplateChange' },
)
export type TemplateChange = Static<typeof TemplateChange>

export const UseTemplate = Type.Object(
  {
    name: Type.Optional(
      Type.String({ minLength: 1, maxLength: 200, pattern: '\\S', description: 'Of the workflow; the title when not given.' }),
    ),
    values: Type.Optional(
      Type.Record(Type.String({ maxLength: 64 }), Type.Unknown(), { maxProperties: 100, description: 'By the names of the parameters.' }),
    ),
  },
  { ...closed, title: 'UseTemplate' },
)
export type UseTemplate = Static<typeof UseTemplate>

export const SaveAsTemplate = Type.Object(
  {
    title: Type.Optional(Title),
    description: Type.Optional(Description),
    category: Type.Optional(Category),
    icon: Type.Optional(Icon),
    parameters: Type.Optional(
      Type.Array(
        Type.Object(
          {
            name: Parameter.properties.name,
            title: Title,
            description: Parameter.properties.description,
            path: Type.String({ maxLength: 1_000, description: 'JSON Pointer into the definition: `/nodes/1/config/url`.' }),
            required: Type.Optional(Type.Boolean({ description: 'The value of today is not kept as the default.' })),
          },
          closed,
        ),
        { maxItems: 50, description: 'Values that are to be filled in when the template is used.' },
      ),
    ),
  },
  { ...closed, title: 'SaveAsTemplate' },
)
export type SaveAsTemplate = Static<typeof SaveAsTemplate>
