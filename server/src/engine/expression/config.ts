import type { Json, JsonObject } from '../../lib/json.ts'
import { type Compiled, errorOf, type Expression, type ExpressionCompiler, type ExpressionError, newBudget } from './expression.ts'
import { nameOf } from './operators.ts'
import type { Scope } from './scope.ts'
import { type Budget, Fault, forbiddenKey, type Kind, limits } from './value.ts'

/** JSON Schema, as far as this file reads it. */
interface Schema {
  readonly type?: string
  readonly format?: string
  readonly evaluate?: 'per_item' | 'on_demand' | 'never'
  readonly properties?: { readonly [key: string]: Schema }
  readonly additionalProperties?: Schema | boolean
  readonly patternProperties?: { readonly [pattern: string]: Schema }
  readonly items?: Schema | boolean
  readonly anyOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
  readonly allOf?: readonly Schema[]
}

export interface ConfigProblem {
  /** JSON Pointer (RFC 6901) into the config. */
  readonly path: string
  readonly message: string
  readonly error: ExpressionError | null
}

export interface ConfigReference {
  readonly path: string
  readonly step: string | null
  readonly optional: boolean
  readonly position: Expression['references'][number]['position']
}

/** What an evaluation of a config throws: which field, and what is wrong there. */
export class ConfigFault extends Error {
  readonly path: string
  readonly error: ExpressionError
  /** The element that it was evaluated for; null for a field that is evaluated once. */
  readonly index: number | null

  constructor(path: string, error: ExpressionError, index: number | null = null) {
    super(index === null ? error.message : `${error.message} (element ${index})`)
    this.path = path
    this.error = error
    this.index = index
  }
}

export interface CompiledConfig {
  readonly problems: readonly ConfigProblem[]
  readonly references: readonly ConfigReference[]
  /** Where an expression decides the value: its type is known only when it runs. */
  readonly dynamic: readonly string[]
  /** Throws a `ConfigFault`. Without expressions it is the config itself, each time. */
  readonly evaluate: (scope: Scope) => JsonObject
}

/** A field with `evaluate: 'per_item'`, as the node gets it. Throws a `ConfigFault` that names the element. */
export type PerItem = (item: Json, index: number) => Json

/** A field with `evaluate: 'on_demand'`, as the node gets it. Throws a `ConfigFault`. */
export type OnDemand = () => Json

/** What the fields of a node share. */
interface StepBudget extends Budget {
  /** For what is evaluated per element. */
  items_left: number
}

type Field =
  | { readonly constant: true; readonly value: Json }
  | { readonly constant: false; readonly run: (scope: Scope, budget: StepBudget) => Json }

const schemas = (list: readonly (Schema | boolean | undefined)[]): readonly Schema[] =>
  list.flatMap((schema) => {
    if (typeof schema !== 'object') return []
    const alternatives = [...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...(schema.allOf ?? [])]
    return alternatives.length === 0 ? [schema] : [schema, ...schemas(alternatives)]
  })

const ofProperty = (holders: readonly Schema[], key: string): readonly Schema[] =>
  schemas(
    holders.map(
      (schema) =>
        (schema.properties && Object.hasOwn(schema.properties, key) ? schema.properties[key] : undefined) ??
        Object.values(schema.patternProperties ?? {})[0] ??
        schema.additionalProperties,
    ),
  )

export const pointerTo = (parent: string, key: string | number): string =>
  `${parent}/${typeof key === 'number' ? key : key.replaceAll('~', '~0').replaceAll('/', '~1')}`

const most_depth = 64
/** Of one node. A node's config is compiled and evaluated in one go, and others wait meanwhile. */
const most_expressions = 5_000

interface Walk {
  readonly compiler: ExpressionCompiler
  readonly problems: ConfigProblem[]
  readonly references: ConfigReference[]
  readonly dynamic: string[]
  readonly seen: { expressions: number }
}

const jsonTypes: { readonly [K in Kind]: readonly string[] | null } = {
  null: ['null'],
  bool: ['boolean'],
  number: ['number', 'integer'],
  string: ['string'],
  list: ['array'],
  map: ['object'],
  timestamp: ['string'],
  duration: ['string'],
  // Whatever is in it.
  optional: null,
}

const typeNames: { readonly [type: string]: string } = {
  string: 'text',
  number: 'a number',
  integer: 'a number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  null: 'null',
}

/** What a field takes by its schemas, as JSON types; null when that is anything. A text that is an expression is not what the field takes. */
const takenTypes = (holders: readonly Schema[]): readonly string[] | null => {
  const leaves = holders.filter((schema) => !schema.anyOf && !schema.oneOf && !schema.allOf && schema.format !== 'expression')
  if (leaves.length === 0 || leaves.some((schema) => schema.type === undefined)) return null
  return leaves.map((schema) => schema.type as string)
}

/** Says so when what an expression gives, as far as that is known before it runs, is nothing that the field takes. */
const checkKind = ({ kind }: Expression, holders: readonly Schema[], path: string, walk: Walk): void => {
  if (kind === null) return
  const given = jsonTypes[kind]
  const taken = takenTypes(holders)
  if (given === null || taken === null || given.some((type) => taken.includes(type))) return
  const names = [...new Set(taken.map((type) => typeNames[type] ?? type))].join(' or ')
  walk.problems.push({ path, message: `The expression gives ${nameOf(kind)}; this field takes ${names}`, error: null })
}

const fieldOf = (compiled: Compiled, text: string, holders: readonly Schema[], path: string, walk: Walk): Field => {
  if (!compiled.ok) {
    walk.problems.push({ path, message: compiled.error.message, error: compiled.error })
    walk.dynamic.push(path)
    return { constant: true, value: text }
  }
  const { expression } = compiled
  if (expression.constant) return { constant: true, value: text }
  walk.dynamic.push(path)
  checkKind(expression, holders, path, walk)
  for (const { step, optional, position } of expression.references) walk.references.push({ path, step, optional, position })
  const run = (scope: Scope, budget: Budget): Json => {
    try {
      return expression.run(scope, budget)
    } catch (error) {
      throw error instanceof Fault ? new ConfigFault(path, errorOf(error, text)) : error
    }
  }
  return { constant: false, run }
}

const compileText = (text: string, holders: readonly Schema[], path: string, walk: Walk): Field => {
  const formats = new Set(holders.map((schema) => schema.format))
  if (formats.has('literal')) return { constant: true, value: text }
  // Most texts of a config hold no expression.
  if (!formats.has('expression') && !text.includes('{{')) return { constant: true, value: text }
  walk.seen.expressions += 1
  if (walk.seen.expressions > most_expressions) {
    const message = `The config of a node holds at most ${most_expressions} expressions`
    if (walk.seen.expressions === most_expressions + 1) walk.problems.push({ path, message, error: null })
    return { constant: true, value: text }
  }
  const compiled = formats.has('expression') ? walk.compiler.expression(text) : walk.compiler.template(text)
  return fieldOf(compiled, text, holders, path, walk)
}

const compileList = (list: readonly Json[], holders: readonly Schema[], path: string, depth: number, walk: Walk): Field => {
  const items = schemas(holders.map((schema) => schema.items))
  const fields = list.map((value, index) => compileValue(value, items, pointerTo(path, index), depth + 1, walk))
  if (fields.every((field) => field.constant)) return { constant: true, value: list }
  return { constant: false, run: (scope, budget) => fields.map((field) => (field.constant ? field.value : field.run(scope, budget))) }
}

const compileObject = (object: JsonObject, holders: readonly Schema[], path: string, depth: number, walk: Walk): Field => {
  const entries: { readonly key: string; readonly field: Field }[] = []
  for (const key of Object.keys(object)) {
    if (walk.seen.expressions > most_expressions) break
    const at = pointerTo(path, key)
    if (forbiddenKey(key)) {
      walk.problems.push({ path: at, message: `"${key}" cannot be the name of a field`, error: null })
      continue
    }
    entries.push({ key, field: compileValue(object[key] as Json, ofProperty(holders, key), at, depth + 1, walk) })
  }
  if (entries.every(({ field }) => field.constant)) return { constant: true, value: object }
  const run = (scope: Scope, budget: StepBudget): Json => {
    const made: { [key: string]: Json } = {}
    for (const { key, field } of entries) made[key] = field.constant ? field.value : field.run(scope, budget)
    return made
  }
  return { constant: false, run }
}

/** A field that the node evaluates itself: with each element, or when it comes to it. */
const compileLate = (late: 'per_item' | 'on_demand', compile: (walk: Walk) => Field, walk: Walk): Field => {
  if (late === 'per_item') return perItem(compile({ ...walk, compiler: walk.compiler.perItem() }))
  const field = compile(walk)
  const demand = (scope: Scope, budget: StepBudget): OnDemand => (field.constant ? () => field.value : () => field.run(scope, budget))
  return { constant: false, run: (scope, budget) => demand(scope, budget) as unknown as Json }
}

const perItem = (field: Field): Field => {
  const given = (scope: Scope, budget: StepBudget): PerItem => {
    if (field.constant) return () => field.value
    const own: { -readonly [K in keyof Scope]: Scope[K] } = { ...scope }
    return (item, index) => {
      const most = Math.min(limits.work, budget.items_left)
      const one: StepBudget = { left: most, items_left: 0 }
      own.item = item
      own.index = index
      try {
        return field.run(own, one)
      } catch (error) {
        throw error instanceof ConfigFault ? new ConfigFault(error.path, error.error, index) : error
      } finally {
        budget.items_left -= most - one.left + 1
      }
    }
  }
  return { constant: false, run: (scope, budget) => given(scope, budget) as unknown as Json }
}

const compileValue = (value: Json, given: readonly Schema[], path: string, depth: number, walk: Walk): Field => {
  const late = given.find(({ evaluate }) => evaluate !== undefined)?.evaluate
  if (late === undefined) return compileNow(value, given, path, depth, walk)
  if (late === 'never') return { constant: true, value }
  const holders = given.map(({ evaluate: _, ...schema }) => schema)
  return compileLate(late, (inner) => compileNow(value, holders, path, depth, inner), walk)
}

const compileNow = (value: Json, holders: readonly Schema[], path: string, depth: number, walk: Walk): Field => {
  if (typeof value === 'string') return compileText(value, holders, path, walk)
  if (typeof value !== 'object' || value === null) return { constant: true, value }
  if (depth > most_depth) {
    walk.problems.push({ path, message: `The config is nested more than ${most_depth} levels deep`, error: null })
    return { constant: true, value: null }
  }
  return Array.isArray(value)
    ? compileList(value as readonly Json[], holders, path, depth, walk)
    : compileObject(value as JsonObject, holders, path, depth, walk)
}

/**
 * Compiles what is written in a node's config: `{{ … }}` in any text at any depth; texts with `format: 'expression'` as a whole; texts
 * with `format: 'literal'`, and whatever stands under `evaluate: 'never'`, not at all. What stands under `evaluate: 'per_item'` or `'on_demand'` is compiled like the rest and given to the
 * node as a function. Never throws; what is wrong is in `problems`.
 */
export const compileConfig = (config: JsonObject, schema: unknown, compiler: ExpressionCompiler): CompiledConfig => {
  const walk: Walk = { compiler, problems: [], references: [], dynamic: [], seen: { expressions: 0 } }
  const field = compileValue(config, schemas([schema as Schema]), '', 0, walk)
  const { problems, references, dynamic } = walk
  const evaluate = field.constant
    ? () => field.value as JsonObject
    : (scope: Scope) => field.run(scope, { ...newBudget(), items_left: limits.item_work }) as JsonObject
  return { problems, references, dynamic, evaluate }
}
