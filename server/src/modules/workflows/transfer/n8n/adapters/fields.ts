import { isJsonObject, type Json, type JsonObject } from '../../../../../lib/json.ts'
import { quoted } from '../javascript/cel.ts'
import { at, isExpression, listAt, textAt, plain } from '../parameters.ts'
import type { Adapter, Gives, Site } from '../site.ts'

const output = (step: string): readonly Gives[] => [{ from: { step, port: 'out' }, place: { path: `steps.${step}.output` } }]

interface Field {
  readonly name: string
  readonly value: Json | undefined
  readonly path: string
}

/** A literal as the type that the node says it has. */
const typed = (value: Json | undefined, type: string | null): Json | undefined => {
  if (typeof value !== 'string' || isExpression(value)) return value
  if (type === 'number' && value.trim() !== '' && !Number.isNaN(Number(value))) return Number(value)
  if (type === 'boolean') return value === 'true' ? true : value === 'false' ? false : value
  if (type === 'array' || type === 'object') {
    try {
      return JSON.parse(value) as Json
    } catch {
      return value
    }
  }
  return value
}

const fieldsOf = (parameters: JsonObject): readonly Field[] => {
  const modern = listAt(parameters, 'assignments.assignments').map(({ name, value, type }, index) => ({
    name: plain(name),
    value: typed(value, typeof type === 'string' ? type : null),
    path: `assignments.assignments.${index}.value`,
  }))
  const middle = listAt(parameters, 'fields.values').map((field, index) => {
    const type = textAt(field, 'type') ?? 'stringValue'
    return {
      name: plain(field['name']),
      value: typed(field[type], type.replace('Value', '')),
      path: `fields.values.${index}.${type}`,
    }
  })
  const old = ['string', 'number', 'boolean'].flatMap((type) =>
    listAt(parameters, `values.${type}`).map(({ name, value }, index) => ({
      name: plain(name),
      value: typed(value, type) ?? (type === 'number' ? 0 : type === 'boolean' ? false : ''),
      path: `values.${type}.${index}.value`,
    })),
  )
  return [...modern, ...middle, ...old]
}

interface Tree {
  readonly [name: string]: Tree | { readonly leaf: Field }
}

const isLeaf = (value: Tree | { readonly leaf: Field }): value is { readonly leaf: Field } =>
  'leaf' in value && typeof value['leaf'] === 'object' && 'path' in value['leaf']

/** `a.b` is a field within a field. */
const nested = (fields: readonly Field[], dots: boolean): Tree => {
  const root: { [name: string]: Tree | { leaf: Field } } = Object.create(null) as { [name: string]: Tree | { leaf: Field } }
  for (const field of fields) {
    const keys = (dots ? field.name.split('.') : [field.name]).filter((key) => key !== '__proto__')
    let holder: { [name: string]: Tree | { leaf: Field } } = root
    for (const key of keys.slice(0, -1)) {
      const known = holder[key]
      const next: { [name: string]: Tree | { leaf: Field } } = known !== undefined && !isLeaf(known) ? known : (Object.create(null) as Tree)
      holder[key] = next
      holder = next
    }
    const last = keys.at(-1)
    if (last !== undefined) holder[last] = { leaf: field }
  }
  return root
}

const asValues = (tree: Tree, site: Site): JsonObject =>
  Object.fromEntries(
    Object.entries(tree).map(([key, each]) => [key, isLeaf(each) ? site.made(each.leaf.value, each.leaf.path) : asValues(each, site)]),
  )

/** The same as CEL, on top of what `base` has. */
const asMap = (tree: Tree, site: Site, base: string | null): string => {
  const parts = Object.entries(tree).map(([key, each]) => {
    const inner = base === null ? null : `${base}[?${quoted(key)}].orValue({})`
    return `${quoted(key)}: ${isLeaf(each) ? site.cel(each.leaf.value, each.leaf.path) : asMap(each, site, inner)}`
  })
  const map = `{${parts.join(', ')}}`
  return base === null ? map : `${base}.merge(${map})`
}

/** What is kept of the item: null for nothing. */
const keptOf = (site: Site): string | null => {
  const { parameters, node, place } = site
  if (node.version < 3) return parameters['keepOnlySet'] === true ? null : place.path
  const all = node.version < 3.3 ? textAt(parameters, 'include') !== 'none' : parameters['includeOtherFields'] === true
  if (!all) return null
  const include = textAt(parameters, 'include') ?? 'all'
  const names = (key: string): string =>
    `[${(textAt(parameters, key) ?? '')
      .split(',')
      .map((name) => quoted(name.trim()))
      .join(', ')}]`
  if (include === 'selected') return `${place.path}.pick(${names('includeFields')})`
  return include === 'except' ? `${place.path}.omit(${names('excludeFields')})` : place.path
}

const parsed = (text: string): JsonObject | null => {
  try {
    const value = JSON.parse(text) as Json
    return isJsonObject(value) ? value : null
  } catch {
    return null
  }
}

/** CEL of what a parameter with JSON in it means: an expression that gives it, or text that is it. */
export const jsonCel = (site: Site, path: string): string => {
  const given = at(site.parameters, path)
  if (typeof given !== 'string') return site.cel(given ?? {}, path)
  const made = site.cel(given, path)
  const alone = isExpression(given) && /^=\s*\{\{[^]*\}\}\s*$/.test(given) && !/\}\}[^]+\{\{/.test(given)
  if (!alone) return `json.decode(${made})`
  // It may give the value or the JSON of it.
  return /^(?:json\.encode\()/.test(made)
    ? made.replace(/^json\.encode\(([^]*)\)$/, '$1')
    : `[${made}].map(value_, type(value_) == "string" ? json.decode(value_) : value_).first()`
}

const raw = (site: Site): Json => {
  const given = textAt(site.parameters, 'jsonOutput')
  const literal = given !== null && !isExpression(given) ? parsed(given) : null
  const kept = keptOf(site)
  if (literal !== null && kept === null) return site.made(literal, 'jsonOutput')
  const made = jsonCel(site, 'jsonOutput')
  return kept === null ? `{{ ${made} }}` : `{{ ${kept}.merge(${made}) }}`
}

const set: Adapter = {
  takes: 'item',
  pin: (items) => items[0] ?? {},
  make: (site) => {
    const { parameters } = site
    if (textAt(parameters, 'mode') === 'raw') return output(site.step({ type: 'data.set', config: { values: raw(site) }, works: true }))
    const fields = fieldsOf(parameters)
    const dots = at(parameters, 'options.dotNotation') !== false
    const tree = nested(fields, dots)
    const kept = keptOf(site)
    // What the step before gives may be more than the item, so that `keep` would keep too much.
    const values: Json = kept === null ? asValues(tree, site) : `{{ ${asMap(tree, site, kept)} }}`
    return output(site.step({ type: 'data.set', config: { values }, works: true }))
  },
}

const renameKeys: Adapter = {
  takes: 'item',
  make: (site) => {
    const pairs = listAt(site.parameters, 'keys.key').map(({ currentKey, newKey }) => [plain(currentKey), plain(newKey)] as const)
    const { path } = site.place
    const added = pairs.map(([from, to]) => `(${quoted(from)} in ${path} ? {${quoted(to)}: ${path}[${quoted(from)}]} : {})`)
    const values = `{{ ${path}.omit([${pairs.map(([from]) => quoted(from)).join(', ')}])${added.map((map) => `.merge(${map})`).join('')} }}`
    return output(site.step({ type: 'data.set', config: { values } }))
  },
}

export const fields: { readonly [kind: string]: Adapter } = { set, renameKeys }
