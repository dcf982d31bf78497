import { Compile, type Validator } from 'typebox/compile'
import { Value } from 'typebox/value'
import { closest } from '../lib/closest.ts'
import { isJsonObject, type JsonObject } from '../lib/json.ts'
import { atOnce, inTurns, type Interruptible } from '../lib/turns.ts'
import { checkEdges, checkShape, type SeenEdge, type SeenNode } from './check-graph.ts'
import { retryRoots, roots, shapeOf } from './compile.ts'
import { compileConfig, type ConfigReference, pointerTo } from './expression/config.ts'
import { expressionCompiler, type ExpressionCompiler, type ExpressionError } from './expression/expression.ts'
import { Definition, DefinitionEdge, DefinitionNode, limits } from './graph/definition.ts'
import { tooLarge } from './graph/measure.ts'
import type { Problem, Report } from './graph/problem.ts'
import type { NodeType } from './node.ts'
import { schemaProblems } from './schema-problems.ts'

/** So many are listed; who has made more wants to see the first ones. */
const most_problems = 200

interface Checking {
  readonly nodeTypes: ReadonlyMap<string, NodeType>
  readonly compiler: ExpressionCompiler
  readonly retryCompiler: ExpressionCompiler
  readonly report: Report
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

const checkId = (node: JsonObject, path: string, seen: Map<string, number>, index: number, report: Report): void => {
  const { id } = node
  if (typeof id !== 'string') return
  const at = { node_id: id.slice(0, 64), path: `${path}/id`, severity: 'error' } as const
  const first = seen.get(id)
  if (first === undefined) seen.set(id, index)
  else report({ ...at, message: `The id "${id.slice(0, 64)}" is taken: node ${first} has it already` })
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

const checkConfig = (node: JsonObject, type: NodeType, path: string, checking: Checking): CheckedConfig => {
  const config = node['config'] === undefined ? {} : node['config']
  if (!isJsonObject(config)) return { references: [], sound: false }
  const compiled = compileConfig(config, type.config, checking.compiler)
  const at = `${path}/config`
  for (const problem of compiled.problems) {
    const message = problem.error ? located(problem.error) : problem.message
    checking.report({ ...about(node), path: at + problem.path, severity: 'error', message })
  }
  const wrong = Value.Check(type.config, config) ? [] : schemaProblems(type.config, config, compiled.dynamic)
  const mistakes = wrong.length === 0 && compiled.problems.length === 0 ? (type.check?.(config) ?? []) : []
  for (const { path: where, message } of [...wrong, ...mistakes])
    checking.report({ ...about(node), path: at + where, severity: 'error', message })
  return { references: compiled.references, sound: wrong.length === 0 }
}

const checkRetry = (node: JsonObject, path: string, checking: Checking): readonly ConfigReference[] => {
  const retry = node['retry']
  const text = isJsonObject(retry) ? retry['retry_if'] : undefined
  if (typeof text !== 'string') return []
  const compiled = checking.retryCompiler.expression(text)
  const at = `${path}/retry/retry_if`
  const fail = (message: string): void => checking.report({ ...about(node), path: at, severity: 'error', message })
  if (!compiled.ok) fail(located(compiled.error))
  else if (compiled.expression.kind !== null && compiled.expression.kind !== 'bool') fail('A condition must give true or false')
  return compiled.ok ? compiled.expression.references.map((reference) => ({ ...reference, path: '' })) : []
}

/** Everything about one node that can be said without the others. */
const checkNode = (node: unknown, index: number, ids: Map<string, number>, checking: Checking): SeenNode => {
  const path = `/nodes/${index}`
  for (const problem of sound(validators.node, node) ? [] : schemaProblems(DefinitionNode, node)) {
    const slug = problem.path === '/id' && problem.message.includes('form')
    const message = slug ? 'An id starts with a letter and goes on with letters, digits, "_" or "-", at most 64 in all' : problem.message
    checking.report({ ...(isJsonObject(node) ? about(node) : {}), path: path + problem.path, severity: 'error', message })
  }
  const nothing: SeenNode = { index, id: null, type: null, ports: null, node: null, references: [] }
  if (!isJsonObject(node)) return nothing
  checkId(node, path, ids, index, checking.report)
  const type = checkType(node, path, checking)
  const references = checkRetry(node, path, checking).map((reference) => ({ ...reference, path: `${path}/retry/retry_if` }))
  const id = typeof node['id'] === 'string' ? node['id'] : null
  if (type === null) return { ...nothing, id, node, references }
  const config = checkConfig(node, type, path, checking)
  const ports = config.sound ? shapeOf(node as unknown as DefinitionNode, type).ports : null
  const inConfig = config.references.map((reference) => ({ ...reference, path: `${path}/config${reference.path}` }))
  return { index, id, type, ports, node, references: [...references, ...inConfig] }
}

const checkZone = (settings: unknown, report: Report): void => {
  const zone = isJsonObject(settings) ? settings['timezone'] : undefined
  if (typeof zone !== 'string') return
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone })
  } catch {
    const message = `${JSON.stringify(zone.slice(0, 64))} is not a time zone; expected an IANA name, as "Europe/Vienna"`
    report({ path: '/settings/timezone', severity: 'error', message })
  }
}

const checkPins = (pins: unknown, ids: ReadonlyMap<string, number>, report: Report): void => {
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
  }
  for (const problem of schemaProblems(Definition, frame)) report({ path: problem.path, severity: 'error', message: problem.message })
  checkZone(definition['settings'], report)
}

const edgesOf = (list: readonly unknown[], report: Report): readonly SeenEdge[] =>
  list.flatMap((edge, index) => {
    const path = `/edges/${index}`
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
export const check = (definition: unknown, options: CheckOptions): Checked => atOnce(checking(definition, options))

/** The same, letting others have their turn in between: ten thousand nodes take some hundred milliseconds. */
export const checkInTurns = (definition: unknown, options: CheckOptions): Promise<Checked> => inTurns(checking(definition, options))

interface CheckOptions {
  readonly nodeTypes: ReadonlyMap<string, NodeType>
}

interface Checked {
  readonly problems: readonly Problem[]
}

const checking = function* (definition: unknown, options: CheckOptions): Interruptible<Checked> {
  const { problems, report } = collector()
  const only = (message: string): Checked => ({ problems: [{ path: '', severity: 'error', message }] })
  const large = tooLarge(definition)
  if (large !== null) return only(large)
  if (!isJsonObject(definition)) return only('A definition is an object with "nodes" and "edges"')
  const nodes = Array.isArray(definition['nodes']) ? (definition['nodes'] as readonly unknown[]) : []
  const edges = Array.isArray(definition['edges']) ? (definition['edges'] as readonly unknown[]) : []
  if (nodes.length > limits.nodes) return only(`The definition has ${nodes.length} nodes; ${limits.nodes} are allowed`)
  if (edges.length > limits.edges) return only(`The definition has ${edges.length} edges; ${limits.edges} are allowed`)
  try {
    yield* checkAll(definition, nodes, edges, {
      nodeTypes: options.nodeTypes,
      compiler: expressionCompiler(roots),
      retryCompiler: expressionCompiler(retryRoots),
      report,
    })
  } catch (error) {
    if (error !== enough) throw error
  }
  return { problems }
}

const checkAll = function* (
  definition: JsonObject,
  listed: readonly unknown[],
  edges: readonly unknown[],
  parts: Checking,
): Interruptible<void> {
  const { report } = parts
  checkFrame(definition, report)
  const ids = new Map<string, number>()
  const nodes: SeenNode[] = []
  for (const [index, node] of listed.entries()) {
    nodes.push(checkNode(node, index, ids, parts))
    yield
  }
  checkPins(definition['pins'], ids, report)
  const read = edgesOf(edges, report)
  yield
  const seen = checkEdges({ nodes, ids, edges: read, report })
  yield
  checkShape({ nodes, ids, edges: seen, report })
}
