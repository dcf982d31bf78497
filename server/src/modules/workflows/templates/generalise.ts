import type { Definition } from '../../../engine/graph/definition.ts'
import type { Json, JsonObject } from '../../../lib/json.ts'
import { isJsonObject } from '../../../lib/json.ts'
import { isUuid } from '../../../lib/id.ts'
import type { Ctx } from '../../../platform/context.ts'
import { type FieldError, invalid } from '../../../platform/http/validate.ts'
import * as integrations from '../../integrations/integrations.ts'
import { knownSecrets } from '../secrets/store.ts'
import { knownWorkflows } from '../store.ts'
import { parameter, parameterOf, parametersIn } from './fill.ts'
import type { Parameter, ParameterSchema, SaveAsTemplate, TemplateDefinition } from './schema.ts'
import { mistakeIn } from './values.ts'

export interface Generalised {
  readonly parameters: Parameter[]
  readonly definition: TemplateDefinition
  readonly tests: readonly JsonObject[]
}

/** Every text in a value that is a UUID and nothing else, in order, once. */
const idsIn = (value: Json): readonly string[] => {
  const found = new Set<string>()
  const look = (part: Json): void => {
    if (isUuid(part)) found.add(part)
    else if (Array.isArray(part)) (part as readonly Json[]).forEach(look)
    else if (isJsonObject(part)) Object.values(part).forEach(look)
  }
  look(value)
  return [...found]
}

const replaced = (value: Json, names: ReadonlyMap<string, string>): Json => {
  const name = typeof value === 'string' ? names.get(value) : undefined
  if (name !== undefined) return parameter(name)
  if (Array.isArray(value)) return (value as readonly Json[]).map((part) => replaced(part, names))
  if (!isJsonObject(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, replaced(part, names)]))
}

const id_schema: ParameterSchema = { type: 'string', format: 'uuid' }

/** Parameters for the ids of what belongs to this workspace alone; names follow from what they stand for. */
const forIds = async (ctx: Ctx, ids: readonly string[], taken: ReadonlySet<string>) => {
  const [known, secrets, workflow_ids] = [
    await integrations.typesOf(ctx, ids),
    await knownSecrets(ctx.db, ids),
    await knownWorkflows(ctx.db, ids),
  ]
  const used = new Set(taken)
  const free = (base: string): string => {
    let name = base
    for (let number = 2; used.has(name); number += 1) name = `${base}_${number}`
    used.add(name)
    return name
  }
  const names = new Map<string, string>()
  const parameters: Parameter[] = []
  const add = (id: string, base: string, more: Omit<Parameter, 'name' | 'schema'>): void => {
    const name = free(base)
    names.set(id, name)
    parameters.push({ name, schema: id_schema, ...more })
  }
  for (const id of ids) {
    const integration = known.get(id)
    if (integration !== undefined)
      add(id, `${integration.type.replaceAll('-', '_')}_integration_id`, {
        title: `Integration of the type ${integration.type}`,
        integration_type: integration.type,
      })
    else if (secrets.has(id)) add(id, 'secret_id', { title: 'Secret', refers_to: 'secret' })
    else if (workflow_ids.has(id)) add(id, 'workflow_id', { title: 'Workflow', refers_to: 'workflow' })
  }
  return { names, parameters }
}

const schemaOf = (value: Json): ParameterSchema =>
  Array.isArray(value)
    ? { type: 'array' }
    : typeof value === 'string' && value.length > 10_000
      ? { type: 'string', maxLength: 65_536 }
      : { type: (typeof value === 'object' ? 'object' : typeof value) as ParameterSchema['type'] }

const segmentsOf = (pointer: string): readonly string[] =>
  pointer
    .split('/')
    .slice(1)
    .map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'))

/** The value at a JSON Pointer (RFC 6901) and the place to write another to; null when nothing is there. */
const placeOf = (root: Json, pointer: string): { readonly value: Json; readonly put: (value: Json) => void } | null => {
  if (!pointer.startsWith('/')) return null
  let holder: Json = null
  let value: Json = root
  let key = ''
  for (const segment of segmentsOf(pointer)) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, segment) || parameterOf(value) !== null) return null
    holder = value
    key = segment
    value = (value as JsonObject)[segment] as Json
  }
  const target = holder as { [key: string]: Json }
  return {
    value,
    put: (other) => {
      target[key] = other
    },
  }
}

/**
 * A definition as a template: with parameters in the places of ids that mean something in one workspace only, and of values that the caller points at.
 * Recorded data (`pins`) stays behind. Throws 422 for a pointer that leads nowhere.
 */
export const generalise = async (ctx: Ctx, draft: Definition, wanted: NonNullable<SaveAsTemplate['parameters']>): Promise<Generalised> => {
  const { tests = [], pins: _, ...definition } = draft
  const whole = structuredClone({ definition, tests }) as unknown as JsonObject
  if (parametersIn(whole).length > 0)
    throw invalid([{ path: 'definition', message: 'holds an object that a template takes for a parameter: { "$parameter": … }' }])
  const mistakes: FieldError[] = []
  const pointed: Parameter[] = []
  for (const [index, { name, title, description, path, required = false }] of wanted.entries()) {
    const place = placeOf(whole['definition'] as Json, path)
    if (place === null || place.value === null) {
      mistakes.push({ path: `parameters.${index}.path`, message: 'leads to no value of the definition' })
      continue
    }
    const { value, put } = place
    put(parameter(name))
    pointed.push({
      ...{ name, title, schema: schemaOf(value) },
      ...(description === undefined ? {} : { description }),
      ...(required || isUuid(value) ? {} : { default: value }),
    })
  }
  if (mistakes.length > 0) throw invalid(mistakes)
  const { names, parameters } = await forIds(ctx, idsIn(whole), new Set(wanted.map(({ name }) => name)))
  const result = replaced(whole, names) as unknown as Pick<Generalised, 'definition' | 'tests'>
  return { ...result, parameters: [...parameters, ...pointed] }
}

/** What is wrong with a template: parameters that come twice, that nothing declares, or whose default does not fit. */
export const problemsOf = ({
  parameters,
  definition,
  tests,
}: Omit<Generalised, 'parameters'> & { readonly parameters: readonly Parameter[] }) => {
  const names = parameters.map(({ name }) => name)
  const problems: FieldError[] = parameters.flatMap(({ name, schema, default: fallback, integration_type, refers_to }, index) => {
    const path = `parameters.${index}`
    const wrong = fallback === undefined || fallback === null ? null : mistakeIn(schema, fallback)
    return [
      ...(names.indexOf(name) < index
        ? [{ path: `${path}.name`, message: `is the name of parameter ${names.indexOf(name)} already` }]
        : []),
      ...(wrong === null ? [] : [{ path: `${path}.default`, message: wrong }]),
      ...(integration_type !== undefined && refers_to !== undefined
        ? [{ path: `${path}.refers_to`, message: 'and `integration_type` exclude each other' }]
        : []),
    ]
  })
  const unknown = new Set(parametersIn({ definition, tests }))
  for (const name of names) unknown.delete(name)
  return [
    ...problems,
    ...[...unknown].map((name) => ({ path: 'definition', message: `names a parameter "${name.slice(0, 64)}" that is not declared` })),
  ]
}
