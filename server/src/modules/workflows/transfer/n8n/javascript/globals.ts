import { cel, type Cel, loose, quoted, Untranslatable, wrapped } from './cel.ts'
import type { Given } from './names.ts'
import type { Tree } from './pieces.ts'
import { ended, pathTo, textOf, type Translation, type Value } from './translation.ts'

const now = (t: Translation): Cel => {
  t.notes.add('The present time is the time at which the execution started.')
  return cel('timestamp(execution.started_at)', 'time')
}

const zoned = (t: Translation): string => (t.names.zone === null ? '' : `, ${quoted(t.names.zone)}`)

const roots: { readonly [name: string]: (t: Translation) => Value | Cel } = {
  $json: (t) => pathTo(t.names.json),
  $now: now,
  $today: (t) => cel(`${now(t).text}.startOf("day"${zoned(t)})`, 'time'),
  $itemIndex: (t) => cel(t.names.index, 'number'),
  $position: (t) => cel(t.names.index, 'number'),
  $runIndex: (t) => {
    t.notes.add('A node runs once at a place: $runIndex is 0.')
    return cel('0', 'number')
  },
  $vars: () => pathTo({ path: 'vars' }),
}

const unknown: { readonly [name: string]: string } = {
  $env: 'Environment variables of the server are not for workflows; make it a variable or a secret of the workspace.',
  $secrets: 'Secrets belong into an integration.',
  $binary: 'Binary data is not passed from node to node.',
  $parameter: 'Parameters of nodes are not data.',
  $response: 'Pages are not fetched by an expression.',
  $request: 'Pages are not fetched by an expression.',
  $pageCount: 'Pages are not fetched by an expression.',
  $jmespath: 'JMESPath has no counterpart.',
  $fromAI: 'There is no agent that would fill this in.',
}

const nameOf = (tree: Tree): string | null => (tree.type === 'Identifier' ? (tree['name'] as string) : null)

const propertyOf = (tree: Tree): string | null => {
  if (tree.type !== 'MemberExpression') return null
  if (tree['computed'] !== true) return tree['property'].name as string
  return typeof tree['property'].value === 'string' ? tree['property'].value : null
}

/** `$execution.id` and its like. */
const facts: { readonly [name: string]: (t: Translation) => Value | Cel } = {
  '$execution.id': () => cel('execution.id', 'string'),
  '$execution.mode': () => cel('execution.mode', 'string'),
  '$execution.resumeUrl': () => cel('execution.resume_url', 'string'),
  '$workflow.id': () => cel('execution.workflow_id', 'string'),
  '$workflow.name': ({ names }) => cel(quoted(names.workflow.name), 'string'),
  '$workflow.active': ({ names }) => cel(String(names.workflow.active), 'bool'),
  '$prevNode.name': ({ names }) => (names.previous === null ? cel('null', 'null') : cel(quoted(names.previous), 'string')),
  '$prevNode.outputIndex': () => cel('0', 'number'),
  '$prevNode.runIndex': () => cel('0', 'number'),
  '$input.item': ({ names }) => pathTo(names.json, true),
  'Math.PI': () => cel('3.141592653589793', 'number'),
}

const givenBy = (name: string, t: Translation): Given => {
  const given = t.names.node(name)
  if (given === undefined) throw new Untranslatable(`There is no node "${name.slice(0, 100)}" before this one`)
  return given
}

const itemOf = (name: string, t: Translation): Value => {
  const { item } = givenBy(name, t)
  if (item === null) throw new Untranslatable(`It cannot be told which item of "${name.slice(0, 100)}" belongs to this one`)
  return pathTo(item, true)
}

const allOf = (name: string, t: Translation): Cel => {
  const { all } = givenBy(name, t)
  if (all === null) throw new Untranslatable(`The items of "${name.slice(0, 100)}" cannot be seen from here`)
  return all
}

/** The node that `$('X')` or `$node["X"]` names; null for anything else. */
const nodeNamed = (tree: Tree): string | null => {
  if (tree.type === 'CallExpression' && nameOf(tree['callee']) === '$') {
    const [name] = tree['arguments'] as readonly Tree[]
    if (typeof name?.['value'] !== 'string') throw new Untranslatable('$() needs the name of a node')
    return name['value']
  }
  return tree.type === 'MemberExpression' && nameOf(tree['object']) === '$node' ? propertyOf(tree) : null
}

/** What a name or a path at its beginning stands for. */
export const globalOf = (tree: Tree, t: Translation): Value | Cel | null => {
  const name = nameOf(tree)
  if (name !== null) {
    if (Object.hasOwn(unknown, name)) throw new Untranslatable(unknown[name] ?? '')
    return Object.hasOwn(roots, name) ? (roots[name]?.(t) ?? null) : null
  }
  const property = propertyOf(tree)
  if (property === null) return null
  const node = nodeNamed(tree['object'])
  if (node !== null) {
    if (property === 'item') return itemOf(node, t)
    if (property === 'json') return ended(itemOf(node, t)).kind === 'item' ? asJson(itemOf(node, t)) : null
    if (property === 'isExecuted') return cel(givenBy(node, t).ran ?? 'true', 'bool')
    throw new Untranslatable(`"${property}" of a node is not known here`)
  }
  const holder = nameOf(tree['object'])
  const fact = `${holder}.${property}`
  if (Object.hasOwn(facts, fact)) return (facts[fact] as (typeof facts)[string])(t)
  if (holder === '$execution' || holder === '$workflow' || holder === '$input' || holder === '$prevNode')
    throw new Untranslatable(`${fact} is not known here`)
  return null
}

const asJson = (value: Value): Value => ('path' in value ? { path: { ...value.path, is_item: false } } : value)

const indexed = (list: Cel, at: number): Value =>
  pathTo({ path: at === 0 ? `${wrapped(list)}.first()` : `${wrapped(list)}[?${at}].orValue(null)` }, true)

const items = (list: Cel): Cel => ({ ...list, kind: 'items' })

const picked = (name: string, list: Cel, args: readonly Tree[]): Value | Cel => {
  if (args.length > 0 && name !== 'itemMatching') throw new Untranslatable('A certain output or run of a node is not told apart here')
  if (name === 'all') return items(list)
  if (name === 'first') return indexed(list, 0)
  if (name === 'last') return cel(`${wrapped(list)}.last()`, 'item')
  const at = args[0]?.['value'] as unknown
  if (name === 'itemMatching' && Number.isInteger(at)) return indexed(list, at as number)
  throw new Untranslatable(`${name}() of a node is not known here`)
}

/** `$('X').first()`, `$input.all()`, `$items('X')`. */
export const nodeCall = (tree: Tree, t: Translation): Value | Cel | null => {
  const { callee } = tree
  const args = tree['arguments'] as readonly Tree[]
  if (nameOf(callee) === '$items') {
    if (args.length > 1) throw new Untranslatable('A certain output or run of a node is not told apart here')
    return items(args.length === 0 ? t.names.items : allOf(String(args[0]?.['value']), t))
  }
  const property = propertyOf(callee)
  if (property === null) return null
  const node = nodeNamed(callee.object)
  if (node === null && nameOf(callee.object) !== '$input') return null
  if (node === null) return picked(property, t.names.items, args)
  // One item is one item, whichever way it is asked for.
  const { item, all } = givenBy(node, t)
  if ((property === 'first' || property === 'last') && args.length === 0 && item !== null && all !== null && all.text === `[${item.path}]`)
    return pathTo(item, true)
  return picked(property, allOf(node, t), args)
}

type Make = (args: readonly Cel[], t: Translation) => Cel

const one =
  (make: (value: Cel) => Cel): Make =>
  ([value]) => {
    if (value === undefined) throw new Untranslatable('A value is missing')
    return make(value)
  }

const round: Make = one((value) => cel(`floor(${value.text} + 0.5)`, 'number'))
const extreme =
  (name: 'min' | 'max'): Make =>
  (args) =>
    cel(`${name}([${args.map(({ text }) => text).join(', ')}])`, 'number')
const time: Make = (args, t) => {
  const [value] = args
  return value === undefined ? now(t) : cel(`timestamp(${value.text}${value.kind === 'number' ? '' : zoned(t)})`, 'time')
}

const calls: { readonly [name: string]: Make } = {
  'JSON.stringify': ([value, ...more]) => {
    if (value === undefined || more.length > 0) throw new Untranslatable('JSON is written without line breaks here')
    return cel(`json.encode(${value.text})`, 'string')
  },
  'JSON.parse': one((value) => cel(`json.decode(${value.text})`)),
  'Object.keys': one((value) => cel(`${wrapped(value)}.keys()`, 'list')),
  'Object.values': one((value) => cel(`${wrapped(value)}.values()`, 'list')),
  'Object.entries': one((value) => cel(`${wrapped(value)}.keys().map(key_, [key_, ${wrapped(value)}[key_]])`, 'list')),
  'Object.assign': ([first, ...more]) => {
    if (first === undefined) throw new Untranslatable('A value is missing')
    return cel(wrapped(first) + more.map(({ text }) => `.merge(${text})`).join(''), 'map')
  },
  'Array.isArray': one((value) => loose(`type(${value.text}) == "list"`, 'bool')),
  'Array.from': one((value) => value),
  'Math.round': round,
  'Math.floor': one((value) => cel(`floor(${value.text})`, 'number')),
  'Math.ceil': one((value) => cel(`ceil(${value.text})`, 'number')),
  'Math.abs': one((value) => cel(`abs(${value.text})`, 'number')),
  'Math.trunc': one((value) => cel(`int(${value.text})`, 'number')),
  'Math.min': extreme('min'),
  'Math.max': extreme('max'),
  'Date.now': (_, t) => cel(`${now(t).text}.millis()`, 'number'),
  'DateTime.now': (_, t) => now(t),
  'DateTime.local': (_, t) => now(t),
  'DateTime.utc': (_, t) => now(t),
  'DateTime.fromISO': time,
  'DateTime.fromMillis': one((value) => cel(`timestamp(${value.text})`, 'time')),
  'DateTime.fromSeconds': one((value) => cel(`timestamp(${wrapped(value)} * 1000)`, 'time')),
  'DateTime.fromJSDate': one((value) => ({ ...value, kind: 'time' })),
  'Number.isInteger': one((value) => loose(`type(${value.text}) == "number" && int(${value.text}) == ${wrapped(value)}`, 'bool')),
}

/** `Math.round(x)` and its like. */
export const globalCall = (tree: Tree, t: Translation): Cel | null => {
  const property = propertyOf(tree['callee'])
  const holder = property === null ? null : nameOf(tree['callee'].object)
  const name = `${holder}.${property}`
  if (holder === null || !Object.hasOwn(calls, name)) return null
  return (calls[name] as Make)(
    (tree['arguments'] as readonly Tree[]).map((arg) => textOf(arg, t)),
    t,
  )
}
