import { Compile } from 'typebox/schema'
import { httpErrors } from './errors.ts'
import type { JsonSchema } from './strict.ts'
import { defaultsOf, strict } from './strict.ts'

/** Refuses a value with 422 `http.validation_failed`, or fills in its defaults and returns. */
export type Validate = (value: unknown) => void

export interface FieldError {
  /** Dotted from the body, the query or the path: `definition.nodes.2.id`. Empty for the whole. */
  readonly path: string
  readonly message: string
}

interface Reported {
  readonly keyword: string
  readonly instancePath: string
  readonly schemaPath: string
  readonly params: object
  readonly message: string
}

/** The validator of a schema, compiled when it is first used: a route that nobody calls costs no memory. */
export const validatorOf = (schema: JsonSchema): Validate => {
  const fill = defaultsOf(schema)
  let compiled: { readonly whole: ReturnType<typeof Compile>; readonly strict: JsonSchema } | null = null
  return (value) => {
    fill?.(value)
    if (compiled === null) {
      const closed = strict(schema)
      compiled = { whole: Compile(closed), strict: closed }
    }
    if (compiled.whole.Check(value)) return
    const inList = wrongInLists(compiled.strict, value, '')
    const reported = inList.length > 0 ? inList : compiled.whole.Errors(value)[1]
    throw invalid(fieldErrors(reported))
  }
}

/** From so many elements on what is wrong with a list is looked for here: to find the words for it the library goes through all of it, slowly. */
const long_list = 200
const most_wrong = 8

const isObject = (value: unknown): value is { readonly [name: string]: unknown } =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** What is wrong with the first elements that are wrong, of the long lists below objects; nothing where the mistake is elsewhere. */
const wrongInLists = (schema: JsonSchema, value: unknown, path: string): readonly Reported[] => {
  if (Array.isArray(value)) return value.length < long_list ? [] : wrongInList(schema, value, path)
  if (!isObject(value) || !isObject(schema['properties'])) return []
  return Object.entries(schema['properties']).flatMap(([name, inner]) =>
    isObject(inner) && Object.hasOwn(value, name) ? wrongInLists(inner, value[name], `${path}/${name}`) : [],
  )
}

const wrongInList = ({ items, maxItems }: JsonSchema, list: readonly unknown[], path: string): readonly Reported[] => {
  if (typeof maxItems === 'number' && list.length > maxItems) {
    const at = { instancePath: path, schemaPath: '', params: { limit: maxItems } }
    return [{ ...at, keyword: 'maxItems', message: `must not have more than ${maxItems} items` }]
  }
  if (!isObject(items)) return []
  const one = Compile(items)
  const wrong: Reported[] = []
  for (let index = 0; index < list.length && wrong.length < most_wrong; index += 1) {
    if (one.Check(list[index])) continue
    const [, reported] = one.Errors(list[index])
    wrong.push(...(reported as readonly Reported[]).map((error) => ({ ...error, instancePath: `${path}/${index}${error.instancePath}` })))
  }
  return wrong
}

const most_errors = 32
const longest_path = 200

/** The problem for input that is not valid. What it says is bounded, however much is wrong with the input. */
export const invalid = (all: readonly FieldError[]): Error => {
  const errors = all.slice(0, most_errors).map(({ path, message }) => ({ path: path.slice(0, longest_path), message }))
  const said = errors.map(({ path, message }) => (path === '' ? message : `${path} ${message}`))
  return httpErrors.validation_failed({ detail: said.slice(0, 3).join('; ') + (said.length > 3 ? '; …' : ''), errors })
}

const dotted = (pointer: string): string =>
  pointer === '' ? '' : pointer.slice(1).replaceAll('/', '.').replaceAll('~1', '/').replaceAll('~0', '~')

const below = (path: string, name: string): string => (path === '' ? name : `${path}.${name}`)

/** One line per place: the branches of a union say the same thing several times. */
const fieldErrors = (reported: readonly Reported[]): readonly FieldError[] => {
  const places = new Map<string, { readonly allowed: Set<string>; readonly messages: Set<string> }>()
  const at = (path: string) => {
    const place = places.get(path) ?? { allowed: new Set<string>(), messages: new Set<string>() }
    places.set(path, place)
    return place
  }
  for (const { keyword, instancePath, params, message } of reported) {
    const path = dotted(instancePath)
    if (keyword === 'required') {
      for (const name of (params as { requiredProperties: readonly string[] }).requiredProperties)
        at(below(path, name)).messages.add('is required')
    } else if (keyword === 'unevaluatedProperties') {
      for (const name of (params as { unevaluatedProperties: readonly string[] }).unevaluatedProperties)
        at(below(path, name)).messages.add('is not a known field')
    } else if (keyword === 'boolean') at(path).messages.add('is not a known field')
    else if (keyword === 'const') at(path).allowed.add(JSON.stringify((params as { allowedValue: unknown }).allowedValue))
    else if (keyword === 'enum')
      for (const value of (params as { allowedValues: readonly unknown[] }).allowedValues) at(path).allowed.add(JSON.stringify(value))
    else if (keyword !== 'additionalProperties' && keyword !== 'anyOf') at(path).messages.add(message)
  }
  const errors = [...places].map(([path, { allowed, messages }]) => ({
    path,
    message: allowed.size > 0 ? `must be one of ${[...allowed].join(', ')}` : [...messages].join(' or '),
  }))
  return errors.length > 0 ? errors : [{ path: '', message: 'does not fit the schema' }]
}
