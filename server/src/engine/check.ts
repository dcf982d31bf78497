import { Type } from 'typebox'
import { Compile, type Validator } from 'typebox/compile'
import { Value } from 'typebox/value'
import { closest } from '../lib/closest.ts'
import { isJsonObject, type JsonObject } from '../lib/json.ts'
import { atOnce, inTurns, type Interruptible } from '../lib/turns.ts'
import { isZone } from '../lib/zone.ts'
import { checkEdges, checkReferences, checkShape, type Level, type SeenEdge, type SeenNode } from './check-graph.ts'
import { checkLimits } from './check-limits.ts'
import { evaluatedInside, loopRetryRoots, loopRoots, ownConfig, retryRoots, roots, shapeOf } from './compile.ts'
import { compileConfig, type ConfigReference, pointerTo } from './expression/config.ts'
import { expressionCompiler, type ExpressionCompiler, type ExpressionError } from './expression/expression.ts'
import { Definition, DefinitionEdge, DefinitionNode, limits } from './graph/definition.ts'
import { tooLarge } from './graph/measure.ts'
import type { Problem, Report } from './graph/problem.ts'
import type { NodeType } from './node.ts'
import { checkTests } from './check-tests.ts'
import { schemaProblems } from './schema-problems.ts'

/** So many are listed; who has made more wants to see the first ones. */
const most_problems = 200

interface Checking {
  readonly nodeTypes: ReadonlyMap<string, NodeType>
  /** For what stands in no loop, and for what does. */
  readonly compilers: {
    readonly [place in 'outside' | 'inside']: { readonly config: ExpressionCompiler; readonly retry: ExpressionCompiler }
  }
  readonly report: Report
  /** Where the first node of each id stands. */
  readonly ids: Map<string, string>
}

/** Nodes and edges that belong together: the definition's own, or those of a body. */
interface Place {
  /** JSON Pointer to what holds `nodes` and `edges`. */
  readonly path: string
  /** Bodies around it. */
  readonly depth: number
  readonly level: Level
}

const validators = {
  node: Compile(DefinitionNode),
  edge: Compile(DefinitionEdge),
}

/** Most are, so that nobody need look for words. */
const sound = (validator: Validator, value: unknown): boolean => validator.Check(value)

const located = (error: ExpressionError): string => `${error.message} (line ${error.position.line}, column ${error.position.column})`

/** Names that JavaScript objects come with; as ids they would only confuse. */
const reserved_ids = new Set(['constructor', 'prototype', 'toString', 'valueOf', 'hasOwnProperty'])

const checkId = (node: JsonObject, path: string, { ids: seen, report }: Checking): void => {
  const { id } = node
  if (typeof id !== 'string') return
  const at = { node_id: id.slice(0, 64), path: `${path}/id`, severity: 'error' } as const
  const first = seen.get(id)
  if (first === undefined) seen.set(id, path)
  else report({ ...at, message: `The id "${id.slice(0, 64)}" is taken: the node at ${first} has it already` })
  if (reserved_ids.has(id)) report({ ...at, message: `"${id}" cannot be an id: JavaScript has a meaning for it` })
}

const checkType = (node: JsonObject, path: string, { nodeTypes, report }: Checking): NodeType | null => {
  const { type } = node
  if (typeof type !== 'string') return null
  const found = nodeTypes.get(type)
  if (found) return found
  const similar = closest(type, nodeTypes.keys())
  const message = `There is no node type "${type.slice(0, 100)}"${similar ? `; did you mean "${similar}"?` : ''}`
  report({ ...about(node), path: `${path}/type`, severity: 'error', message })
  return null
}

const about = (node: JsonObject): { node_id?: string } => (typeof node['id'] === 'string' ? { node_id: node['id'].slice(0, 64) } : {})

interface CheckedConfig {
  readonly references: readonly ConfigReference[]
  readonly sound: boolean
}

const checkConfig = (node: JsonObject, type: NodeType, path: string, around: 'outside' | 'inside', checking: Checking): CheckedConfig => {
  const config = node['config'] === undefined ? {} : node['config']
  if (!isJsonObject(config)) return { references: [], sound: false }
  const own = ownConfig(config, type)
  const compiled = compileConfig(own, type.config, checking.compilers[evaluatedInside(type) ? 'inside' : around].config)
  const at = `${path}/config`
  for (const problem of compiled.problems) {
    const message = problem.error ? located(problem.error) : problem.message
    checking.report({ ...about(node), path: at + problem.path, severity: 'error', message })
  }
  const wrong = Value.Check(type.config, own) ? [] : schemaProblems(type.config, own, compiled.dynamic)
  const mistakes = wrong.length === 0 && compiled.problems.length === 0 ? (type.check?.(config) ?? []) : []
  for (const { path: where, message } of [...wrong, ...mistakes])
    checking.report({ ...about(node), path: at + where, severity: 'error', message })
  return { references: compiled.references, sound: wrong.length === 0 }
}

const checkRetry = (node: JsonObject, path: string, around: 'outside' | 'inside', checking: Checking): readonly ConfigReference[] => {
  const retry = node['retry']
  const text = isJsonObject(retry) ? retry['retry_if'] : undefined
  if (typeof text !== 'string') return []
  const compiled = checking.compilers[around].retry.expression(text)
  const at = `${path}/retry/retry_if`
  const fail = (message: string): void => checking.report({ ...about(node), path: at, severity: 'error', message })
  if (!compiled.ok) fail(located(compiled.error))
  else if (compiled.expression.kind !== null && compiled.expression.kind !== 'bool') fail('A condition must give true or false')
  return compiled.ok ? compiled.expression.references.map((reference) => ({ ...reference, path: '' })) : []
}

/** Everything about one node that can be said without the others. */
const checkNode = (node: unknown, index: number, place: Place, checking: Checking): SeenNode => {
  const path = `${place.path}/nodes/${index}`
  const around = place.depth === 0 ? 'outside' : 'inside'
  for (const problem of sound(validators.node, node) ? [] : schemaProblems(DefinitionNode, node)) {
    const slug = problem.path === '/id' && problem.message.includes('form')
    const message = slug ? 'An id starts with a letter and goes on with letters, digits, "_" or "-", at most 64 in all' : problem.message
    checking.report({ ...(isJsonObject(node) ? about(node) : {}), path: path + problem.path, severity: 'error', message })
  }
  const nothing: SeenNode = { index, id: null, type: null, ports: null, node: null, references: [] }
  if (!isJsonObject(node)) return nothing
  checkId(node, path, checking)
  const type = checkType(node, path, checking)
  const references = checkRetry(node, path, around, checking).map((reference) => ({ ...reference, path: `${path}/retry/retry_if` }))
  const id = typeof node['id'] === 'string' ? node['id'] : null
  if (type === null) return { ...nothing, id, node, references }
  const config = checkConfig(node, type, path, around, checking)
  const ports = config.sound ? shapeOf(node as unknown as DefinitionNode, type).ports : null
  const inConfig = config.references.map((reference) => ({ ...reference, path: `${path}/config${reference.path}` }))
  return { index, id, type, ports, node, references: [...references, ...inConfig] }
}

const checkZone = (settings: unknown, report: Report): void => {
  const zone = isJsonObject(settings) ? settings['timezone'] : undefined
  if (typeof zone !== 'string' || isZone(zone)) return
  const message = `${JSON.stringify(zone.slice(0, 64))} is not a time zone; expected an IANA name, as "Europe/Vienna"`
  report({ path: '/settings/timezone', severity: 'error', message })
}

const checkPins = (pins: unknown, ids: ReadonlyMap<string, string>, report: Report): void => {
  if (!isJsonObject(pins)) return
  for (const id of Object.keys(pins)) {
    if (ids.has(id)) continue
    report({
      path: pointerTo('/pins', id.slice(0, 64)),
      severity: 'error',
      message: `There is no node "${id.slice(0, 64)}" to pin the output of`,
    })
  }
}

/** The frame around nodes and edges: settings, tests, pins, and fields that do not belong. */
const checkFrame = (definition: JsonObject, report: Report): void => {
  const frame = {
    ...definition,
    ...(Array.isArray(definition['nodes']) ? { nodes: [] } : {}),
    ...(Array.isArray(definition['edges']) ? { edges: [] } : {}),
    ...(Array.isArray(definition['tests']) ? { tests: [] } : {}),
  }
  for (const problem of schemaProblems(Definition, frame)) report({ path: problem.path, severity: 'error', message: problem.message })
  checkZone(definition['settings'], report)
  checkLimits(definition['settings'], report)
}

const edgesOf = (list: readonly unknown[], parent: string, report: Report): readonly SeenEdge[] =>
  list.flatMap((edge, index) => {
    const path = `${parent}/edges/${index}`
    const problems = sound(validators.edge, edge) ? [] : schemaProblems(DefinitionEdge, edge)
    for (const problem of problems) report({ path: path + problem.path, severity: 'error', message: problem.message })
    if (problems.length > 0) return []
    const { from, port, to } = edge as DefinitionEdge
    return [{ index, from, port: port ?? 'out', to }]
  })

/** Thrown to end a check that has found more than it lists: to go on looking would take long and tell nobody anything. */
const enough = Symbol('enough')

const collector = (): { readonly problems: Problem[]; readonly report: Report } => {
  const problems: Problem[] = []
  return {
    problems,
    report: (problem) => {
      if (problems.length < most_problems) return void problems.push(problem)
      problems.push({ path: '', severity: 'error', message: `There are more problems than the ${most_problems} listed here` })
      // It never leaves `check`.
      // oxlint-disable-next-line typescript/only-throw-error
      throw enough
    },
  }
}

/**
 * Finds every mistake in a definition that can be found before it runs, each with its place and a sentence that helps. It takes any
 * value, never throws, and takes time in proportion to the size, which is limited. Without a problem of severity `error` the
 * definition compiles (`compileVersion`).
 */
export const check = (definition: unknown, options: CheckOptions): Checked => atOnce(examining(definition, options))

/** The same, letting others have their turn in between: ten thousand nodes take some hundred milliseconds. */
export const checkInTurns = (definition: unknown, options: CheckOptions): Promise<Checked> => inTurns(examining(definition, options))

interface CheckOptions {
  readonly nodeTypes: ReadonlyMap<string, NodeType>
}

interface Checked {
  readonly problems: readonly Problem[]
}

const examining = function* (definition: unknown, options: CheckOptions): Interruptible<Checked> {
  const { problems, report } = collector()
  const only = (message: string): Checked => ({ problems: [{ path: '', severity: 'error', message }] })
  const large = tooLarge(definition)
  if (large !== null) return only(large)
  if (!isJsonObject(definition)) return only('A definition is an object with "nodes" and "edges"')
  const nodes = Array.isArray(definition['nodes']) ? (definition['nodes'] as readonly unknown[]) : []
  const edges = Array.isArray(definition['edges']) ? (definition['edges'] as readonly unknown[]) : []
  const counted = countAll(nodes, edges)
  if (counted.nodes > limits.nodes) return only(`The definition has ${counted.nodes} nodes; ${limits.nodes} are allowed`)
  if (counted.edges > limits.edges) return only(`The definition has ${counted.edges} edges; ${limits.edges} are allowed`)
  try {
    yield* checkAll(definition, nodes, edges, {
      nodeTypes: options.nodeTypes,
      compilers: {
        outside: { config: expressionCompiler(roots), retry: expressionCompiler(retryRoots) },
        inside: { config: expressionCompiler(loopRoots), retry: expressionCompiler(loopRetryRoots) },
      },
      ids: new Map(),
      report,
    })
  } catch (error) {
    if (error !== enough) throw error
  }
  return { problems }
}

/** What a body may hold of nodes and edges, wherever it stands. */
const bodyOf = (node: unknown): { readonly nodes: readonly unknown[]; readonly edges: readonly unknown[] } | null => {
  const config = isJsonObject(node) ? node['config'] : undefined
  const body = isJsonObject(config) ? config['body'] : undefined
  if (!isJsonObject(body)) return null
  const { nodes, edges } = body
  return { nodes: Array.isArray(nodes) ? (nodes as unknown[]) : [], edges: Array.isArray(edges) ? (edges as unknown[]) : [] }
}

const countAll = (nodes: readonly unknown[], edges: readonly unknown[]): { readonly nodes: number; readonly edges: number } => {
  const counted = { nodes: nodes.length, edges: edges.length }
  const open = [...nodes]
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    const body = bodyOf(node)
    if (body === null) continue
    counted.nodes += body.nodes.length
    counted.edges += body.edges.length
    for (const inner of body.nodes) open.push(inner)
  }
  return counted
}

const most_depth = 8

const Frame = Type.Object({ nodes: Type.Array(Type.Unknown()), edges: Type.Array(Type.Unknown()) }, { additionalProperties: false })

/** The nodes that a region repeats. */
const checkBody = function* (node: SeenNode, place: Place, checking: Checking): Interruptible<void> {
  const { config } = node.node as { readonly config?: unknown }
  const body = isJsonObject(config) ? config['body'] : undefined
  const read = bodyOf(node.node)
  if (read === null || !isJsonObject(body)) return
  const path = `${place.path}/nodes/${node.index}/config/body`
  const say = (at: string, message: string): void =>
    checking.report({ ...(node.id === null ? {} : { node_id: node.id }), path: at, severity: 'error', message })
  for (const problem of schemaProblems(Frame, body)) say(path + problem.path, problem.message)
  if (Array.isArray(body['nodes']) && read.nodes.length === 0) say(`${path}/nodes`, 'There is nothing to repeat: the body needs a node')
  if (place.depth >= most_depth) return say(path, `Loops stand in each other at most ${most_depth} deep`)
  const level: Level = { ...emptyLevel(), around: { level: place.level, index: node.index } }
  place.level.bodies.push({ path, level })
  yield* checkLevel(read.nodes, read.edges, { path, depth: place.depth + 1, level }, checking)
}

const emptyLevel = (): Level => ({ nodes: [], ids: new Map(), bodies: [], around: null, before: null })

/** Nodes and edges that belong together, and the bodies among them. What it finds is kept in the level. */
const checkLevel = function* (
  listed: readonly unknown[],
  edges: readonly unknown[],
  place: Place,
  checking: Checking,
): Interruptible<void> {
  const { level, path, depth } = place
  const { report } = checking
  for (const [index, node] of listed.entries()) {
    const seen = checkNode(node, index, place, checking)
    level.nodes.push(seen)
    if (seen.id !== null && !level.ids.has(seen.id)) level.ids.set(seen.id, index)
    yield
  }
  const read = edgesOf(edges, path, report)
  yield
  const { nodes, ids } = level
  const seen = checkEdges({ nodes, ids, edges: read, report, path, inside: depth > 0 })
  yield
  level.before = checkShape({ nodes, ids, edges: seen, report, path, inside: depth > 0 })
  for (const node of nodes) {
    if (node.type?.kind === 'region') yield* checkBody(node, place, checking)
  }
}

const checkAll = function* (
  definition: JsonObject,
  nodes: readonly unknown[],
  edges: readonly unknown[],
  parts: Checking,
): Interruptible<void> {
  const { report, ids } = parts
  checkFrame(definition, report)
  const level = emptyLevel()
  yield* checkLevel(nodes, edges, { path: '', depth: 0, level }, parts)
  checkPins(definition['pins'], ids, report)
  if (Array.isArray(definition['tests'])) yield* checkTests(definition['tests'] as unknown[], level, report)
  yield* checkReferences(level, '', report)
}
