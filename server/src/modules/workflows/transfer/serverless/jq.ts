import { celParser, type Syntax } from '../../../../engine/expression/syntax.ts'
import { piecesOf } from '../../../../engine/expression/template.ts'
import { Fault } from '../../../../engine/expression/value.ts'
import { isJsonObject, type Json } from '../../../../lib/json.ts'

/** What jq has nothing for. */
class NoJq extends Error {}

type Locals = ReadonlyMap<string, string>

const text = (value: unknown): string => JSON.stringify(value)

const roots: { readonly [name: string]: string } = {
  trigger: '$workflow.input',
  steps: '$context.steps',
  item: '$item',
  index: '$index',
}

const facts: { readonly [path: string]: string } = {
  'execution.id': '$workflow.id',
  'execution.started_at': '$workflow.startedAt.iso8601',
}

const identifier = /^[A-Za-z_][A-Za-z0-9_]*$/

const key = (name: string): string => (identifier.test(name) ? `.${name}` : `[${text(name)}]`)

const asText = (value: string): string => `(${value} | if . == null then "" elif type == "string" then . else tojson end)`

type Make = (on: string, args: readonly string[]) => string

const fixed =
  (program: string): Make =>
  (on) =>
    `(${on} | ${program})`
const one =
  (make: (argument: string) => string): Make =>
  (on, [argument]) => {
    if (argument === undefined) throw new NoJq('a value is missing')
    return `(${on} | ${make(argument)})`
  }

/** Functions of the library whose meaning jq has, as `(input | program)`. */
const functions: { readonly [name: string]: Make } = {
  size: fixed('length'),
  string: (on) => asText(on),
  int: fixed('tonumber | trunc'),
  double: fixed('tonumber'),
  number: fixed('tonumber'),
  upper: fixed('ascii_upcase'),
  lower: fixed('ascii_downcase'),
  trim: fixed('trim'),
  split: (on, args) => {
    if (args.length !== 1) throw new NoJq('split() with a limit')
    return `(${on} | split(${args[0]}))`
  },
  join: (on, [separator = '""']) => `(${on} | join(${separator}))`,
  startsWith: one((argument) => `startswith(${argument})`),
  endsWith: one((argument) => `endswith(${argument})`),
  contains: one((argument) => `if type == "string" then contains(${argument}) else any(.[]; . == ${argument}) end`),
  matches: one((argument) => `test(${argument})`),
  replace: (on, args) => {
    if (args.length !== 2) throw new NoJq('replace() with a limit')
    return `(${on} | split(${args[0]}) | join(${args[1]}))`
  },
  first: fixed('.[0]'),
  last: fixed('.[-1]'),
  keys: fixed('keys_unsorted'),
  values: fixed('[.[]]'),
  merge: (on, [other]) => `(${on} + ${other})`,
  sum: fixed('add // 0'),
  min: fixed('min'),
  max: fixed('max'),
  sort: fixed('sort'),
  reverse: fixed('reverse'),
  flatten: fixed('flatten(1)'),
  distinct: fixed('reduce .[] as $each ([]; if any(.[]; . == $each) then . else . + [$each] end)'),
  range: fixed('[range(0; .)]'),
  floor: fixed('floor'),
  ceil: fixed('ceil'),
  abs: fixed('abs'),
  truthy: fixed('(. != null and . != false and . != 0 and . != "")'),
  slice: (on, [start, end = '']) => `(${on})[${start}:${end}]`,
  'json.encode': fixed('tojson'),
  'json.decode': fixed('fromjson'),
  'base64.encode': fixed('@base64'),
  'base64.decode': fixed('@base64d'),
  'url.encode': fixed('@uri'),
}

interface Reading {
  readonly locals: Locals
}

const pathOf = (syntax: Syntax): string | null => {
  if (syntax.op === 'id') return syntax.args
  if (syntax.op !== '.') return null
  const holder = pathOf(syntax.args[0])
  return holder === null ? null : `${holder}.${syntax.args[1]}`
}

const name = (id: string, { locals }: Reading): string => {
  const local = locals.get(id)
  if (local !== undefined) return local
  const root = Object.hasOwn(roots, id) ? roots[id] : undefined
  if (root === undefined) throw new NoJq(`"${id}" is not there`)
  return root
}

/** `steps.a.output` and the like: jq gives null for what is missing. */
const access = (syntax: Syntax & { op: '.' | '.?' | '[]' | '[?]' }, reading: Reading): string => {
  const fact = pathOf(syntax)
  if (fact !== null && Object.hasOwn(facts, fact)) return facts[fact] as string
  const holder = read(syntax.args[0], reading)
  if (syntax.op === '.' || syntax.op === '.?') return `${holder}${key(syntax.args[1])}`
  return `${holder}[${read(syntax.args[1], reading)}]`
}

const macro = (called: string, on: string, args: readonly Syntax[], reading: Reading): string | null => {
  const [bound, body, second] = args
  if (called === 'orValue' && bound !== undefined) return `(${on} | if . == null then ${read(bound, reading)} else . end)`
  if (!['map', 'filter', 'exists', 'all', 'sortBy'].includes(called)) return null
  if (bound?.op !== 'id' || body === undefined || second !== undefined) throw new NoJq(`${called}() of this form`)
  const variable = `$${bound.args}_`
  const inner = read(body, { locals: new Map([...reading.locals, [bound.args, variable]]) })
  const elements = `(${on} | if type == "object" then keys_unsorted else . end)`
  const program = `. as ${variable} | ${inner}`
  if (called === 'map') return `(${elements} | map(${program}))`
  if (called === 'filter') return `(${elements} | map(select(${program})))`
  return called === 'sortBy'
    ? `(${elements} | sort_by(${program}))`
    : `(${elements} | ${called === 'exists' ? 'any' : 'all'}(.[]; ${program}))`
}

const called = (name_of: string, on: string, args: readonly string[]): string => {
  const make = Object.hasOwn(functions, name_of) ? functions[name_of] : undefined
  if (make === undefined) throw new NoJq(`${name_of}() has no counterpart`)
  return make(on, args)
}

const call = (syntax: Syntax & { op: 'call' }, reading: Reading): string => {
  const [name_of, args] = syntax.args
  if (name_of === 'has' && args[0] !== undefined) return `(${read(args[0], reading)} != null)`
  const [first, ...rest] = args.map((argument) => read(argument, reading))
  if (first === undefined) throw new NoJq(`${name_of}() has no counterpart`)
  return called(name_of, first, rest)
}

const method = (syntax: Syntax & { op: 'rcall' }, reading: Reading): string => {
  const [name_of, receiver, args] = syntax.args
  if (receiver.op === 'id' && !reading.locals.has(receiver.args) && ['json', 'base64', 'url'].includes(receiver.args)) {
    const [first, ...rest] = args.map((argument) => read(argument, reading))
    return called(`${receiver.args}.${name_of}`, first ?? 'null', rest)
  }
  const on = read(receiver, reading)
  return (
    macro(name_of, on, args, reading) ??
    called(
      name_of,
      on,
      args.map((argument) => read(argument, reading)),
    )
  )
}

const binary: { readonly [op: string]: string } = {
  '||': 'or',
  '&&': 'and',
  '==': '==',
  '!=': '!=',
  '<': '<',
  '<=': '<=',
  '>': '>',
  '>=': '>=',
  '+': '+',
  '-': '-',
  '*': '*',
  '/': '/',
  '%': '%',
}

const literal = (value: unknown): string => {
  const whole = typeof value === 'object' && value !== null && 'valueOf' in value ? value.valueOf() : value
  if (typeof whole === 'bigint') return String(whole)
  if (whole === null || typeof whole === 'string' || typeof whole === 'number' || typeof whole === 'boolean') return text(whole)
  throw new NoJq('bytes')
}

const read = (syntax: Syntax, reading: Reading): string => {
  switch (syntax.op) {
    case 'value':
      return literal(syntax.args)
    case 'id':
      return name(syntax.args, reading)
    case '.':
    case '.?':
    case '[]':
    case '[?]':
      return access(syntax, reading)
    case 'call':
      return call(syntax, reading)
    case 'rcall':
      return method(syntax, reading)
    case 'list':
      return `[${syntax.args.map((each) => read(each, reading)).join(', ')}]`
    case 'map':
      return `{${syntax.args.map(([one_key, value]) => `(${read(one_key, reading)}): ${read(value, reading)}`).join(', ')}}`
    case '?:': {
      const [test, yes, no] = syntax.args
      return `(if ${read(test, reading)} then ${read(yes, reading)} else ${read(no, reading)} end)`
    }
    case '!_':
      return `(${read(syntax.args, reading)} | not)`
    case '-_':
      return `(-(${read(syntax.args, reading)}))`
    case 'in': {
      const [element, list] = syntax.args
      return `(${read(element, reading)} as $one | ${read(list, reading)} | if type == "object" then has($one) else any(.[]; . == $one) end)`
    }
    default: {
      const op = binary[syntax.op]
      if (op === undefined) throw new NoJq(`the operator ${syntax.op}`)
      const [left, right] = syntax.args as unknown as readonly [Syntax, Syntax]
      return `(${read(left, reading)} ${op} ${read(right, reading)})`
    }
  }
}

/** What goes through one export. */
export interface Expressions {
  /** A condition or another field that is an expression: with braces or without. */
  readonly expression: (value: Json, where: string) => string
  /** Any part of a config: templates become runtime expressions. */
  readonly value: (value: Json, where: string) => Json
}

/** `lost` hears of each expression that has no counterpart; in its place stands one that fails and says so. */
export const openExpressions = (lost: (where: string, what: string) => void): Expressions => {
  const parse = celParser()
  const jq = (cel: string, where: string): string => {
    try {
      return read(parse(cel.trim()), { locals: new Map() })
    } catch (error) {
      if (!(error instanceof NoJq) && !(error instanceof Fault)) throw error
      lost(where, `The expression \`${cel.trim().slice(0, 500)}\` has no counterpart in jq: ${error.message}.`)
      return `error(${text(`To be written by hand: ${cel.trim().slice(0, 500)}`)})`
    }
  }
  const template = (given: string, where: string): string => {
    const pieces = piecesOf(given)
    const [only] = pieces
    if (pieces.length === 1 && only?.kind === 'expression') return `\${ ${jq(only.text, where)} }`
    return `\${ ${pieces.map((piece) => (piece.kind === 'text' ? text(piece.text) : asText(jq(piece.text, where)))).join(' + ')} }`
  }
  const value = (given: Json, where: string): Json => {
    // What looks like an expression of theirs is to stay a text.
    if (typeof given === 'string')
      return given.includes('{{') ? template(given, where) : given.includes('${') ? `\${ ${text(given)} }` : given
    if (Array.isArray(given)) return (given as readonly Json[]).map((each) => value(each, where))
    if (!isJsonObject(given)) return given
    return Object.fromEntries(Object.entries(given).map(([name_of, each]) => [name_of, value(each, where)]))
  }
  return {
    value,
    expression: (given, where) => {
      if (typeof given !== 'string') return text(given)
      const pieces = given.includes('{{') ? piecesOf(given) : []
      const [only] = pieces
      return jq(pieces.length === 1 && only?.kind === 'expression' ? only.text : given, where)
    },
  }
}
