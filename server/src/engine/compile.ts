import type { Validator } from 'typebox/compile'
import { isJsonObject, type Json, type JsonObject } from '../lib/json.ts'
import { atOnce, inTurns, type Interruptible } from '../lib/turns.ts'
import { type CompiledConfig, compileConfig, ConfigFault } from './expression/config.ts'
import { type ExpressionCompiler, expressionCompiler, newBudget } from './expression/expression.ts'
import type { Root, Scope } from './expression/scope.ts'
import { Fault } from './expression/value.ts'
import type { Definition, DefinitionNode } from './graph/definition.ts'
import { buildGraph, type Graph, type NodeShape } from './graph/graph.ts'
import type { CalledBy, ExecutionMode } from './contract.ts'
import { outputOf, outputsOf, type Run, type StepError } from './graph/plan.ts'
import { type Limits, limitsOf } from './lines/place.ts'
import { type NamedVariables, namedVariables } from './named-variables.ts'
import { evaluatedConfigs } from './node-config.ts'
import { NodeFailure, type NodeType } from './node.ts'

export type { Scope } from './expression/scope.ts'

/** What every expression outside a loop may name. */
export const roots: ReadonlySet<Root> = new Set(['trigger', 'steps', 'execution', 'workspace', 'vars'])
/** In the body of a loop. */
export const loopRoots: ReadonlySet<Root> = new Set([...roots, 'item', 'index'])
/** What `retry_if` may name besides. */
export const retryRoots: ReadonlySet<Root> = new Set([...roots, 'error'])
export const loopRetryRoots: ReadonlySet<Root> = new Set([...loopRoots, 'error'])

export interface CompiledNode {
  readonly type: NodeType
  /** The config with its expressions evaluated, checked against the type's schema. Throws a `NodeFailure`. */
  readonly evaluate: (scope: Scope) => JsonObject
  /** The node's own condition for another try; null where it has none, or where it cannot be evaluated. */
  readonly retryIf: ((scope: Scope, error: StepError) => boolean | null) | null
}

/** A published version, ready to run. Immutable; one serves all its executions. */
export interface CompiledVersion {
  readonly graph: Graph
  /** As in the graph. */
  readonly nodes: readonly CompiledNode[]
  /** The nodes of its bodies. */
  readonly bodies: ReadonlyMap<Graph, readonly CompiledNode[]>
  /** A node of it starts other executions. */
  readonly starts_executions: boolean
  /** The node type of a trigger that may fire; null when there is no such trigger. */
  readonly triggerType: (node_id: string) => string | null
  /** Some node of it waits to be called. */
  readonly waits: boolean
  /** Null: nothing limits how many executions of it there are at once, or in a time. */
  readonly limits: Limits | null
  /** Of its executions, where whoever starts one does not say. */
  readonly priority: number
  /** What it takes of the variables of its workspace. */
  readonly variables: NamedVariables
}

/** What the graph must know of a node, from its type and config; `body`: of a region. */
export const shapeOf = (node: DefinitionNode, type: NodeType, body: Graph | null = null): NodeShape => {
  const config = node.config ?? {}
  const ports = typeof type.ports === 'function' ? type.ports(config) : (type.ports ?? ['out'])
  const merge_mode = type.kind === 'merge' && config['mode'] === 'first' ? 'first' : 'all'
  return { kind: type.kind, ports, merge_mode, ...(type.kind === 'region' && body ? { region: { repeats: type.repeats, body } } : {}) }
}

/** A region's own config: its body is compiled by itself. */
export const ownConfig = (config: JsonObject, type: NodeType): JsonObject =>
  type.kind === 'region' && isJsonObject(config['body']) ? { ...config, body: { nodes: [], edges: [] } } : config

/** What a field that could not be evaluated means for its step. */
export const faultFailure = (fault: ConfigFault): NodeFailure =>
  new NodeFailure({
    code: fault.error.code,
    message: `${fault.path.slice(1)}: ${fault.message}`,
    details: { field: fault.path, position: { ...fault.error.position }, ...(fault.index === null ? {} : { index: fault.index }) },
  })

const evaluator = (config: CompiledConfig, type: NodeType, validatorOf: (type: NodeType) => Validator): CompiledNode['evaluate'] => {
  // What is written out was checked before it was published.
  if (config.dynamic.length === 0) return config.evaluate
  const validator = validatorOf(type)
  return (scope) => {
    let evaluated: JsonObject
    try {
      evaluated = config.evaluate(scope)
    } catch (error) {
      throw error instanceof ConfigFault ? faultFailure(error) : error
    }
    if (validator.Check(evaluated)) return evaluated
    const [first] = validator.Errors(evaluated)
    const field = first?.instancePath ?? ''
    const message = `${field === '' ? 'The config' : field.slice(1)} ${first?.message ?? 'does not fit'}, after its expressions were evaluated`
    throw new NodeFailure({ code: 'node.config_invalid', message, details: { field } })
  }
}

const retryCondition = (text: string, compiler: ReturnType<typeof expressionCompiler>): CompiledNode['retryIf'] => {
  const compiled = compiler.expression(text)
  if (!compiled.ok) throw new Error(`retry_if does not compile: ${compiled.error.message}`)
  const { expression } = compiled
  return (scope, error) => {
    try {
      const result = expression.run({ ...scope, error: { ...error } }, newBudget())
      return typeof result === 'boolean' ? result : null
    } catch (fault) {
      // The step has failed already; a condition that fails too leaves the decision to the error itself.
      if (fault instanceof Fault) return null
      throw fault
    }
  }
}

/** Compiles a checked definition: what does not compile now is a fault of the program, not of its author. */
export const compileVersion = (definition: Definition, nodeTypes: ReadonlyMap<string, NodeType>): CompiledVersion =>
  atOnce(compiling(definition, nodeTypes))

/** The same, letting others have their turn in between. */
export const compileInTurns = (definition: Definition, nodeTypes: ReadonlyMap<string, NodeType>): Promise<CompiledVersion> =>
  inTurns(compiling(definition, nodeTypes))

/** What the bodies of one definition share while they are compiled. */
interface Compilers {
  readonly typeOf: (node: DefinitionNode) => NodeType
  readonly validatorOf: (type: NodeType) => Validator
  readonly outside: Pair
  readonly inside: Pair
  readonly bodies: Map<Graph, readonly CompiledNode[]>
}

interface Pair {
  readonly config: ExpressionCompiler
  readonly retry: ExpressionCompiler
}

type Body = Pick<Definition, 'nodes' | 'edges' | 'settings'>

/** Of a region the config is evaluated in each turn that it decides, so that it may name `item` as its body does. */
export const evaluatedInside = (type: NodeType): boolean => type.kind === 'region' && type.repeats === 'while'

const compileNode = (node: DefinitionNode, around: 'outside' | 'inside', compilers: Compilers): CompiledNode => {
  const { typeOf, validatorOf } = compilers
  const type = typeOf(node)
  const config = compileConfig(ownConfig(node.config ?? {}, type), type.config, compilers[evaluatedInside(type) ? 'inside' : around].config)
  const [problem] = config.problems
  if (problem) throw new Error(`The config of "${node.id}" does not compile at ${problem.path}: ${problem.message}`)
  const retry_if = node.retry?.retry_if
  return {
    type,
    evaluate: evaluator(config, type, validatorOf),
    retryIf: retry_if === undefined ? null : retryCondition(retry_if, compilers[around].retry),
  }
}

const compilingBody = function* (
  body: Body,
  around: 'outside' | 'inside',
  compilers: Compilers,
): Interruptible<{ readonly graph: Graph; readonly nodes: readonly CompiledNode[] }> {
  const nodes: CompiledNode[] = []
  const inner = new Map<DefinitionNode, Graph>()
  for (const node of body.nodes) {
    const compiled = compileNode(node, around, compilers)
    nodes.push(compiled)
    if (compiled.type.kind === 'region') {
      const made = yield* compilingBody(node.config?.['body'] as unknown as Body, 'inside', compilers)
      compilers.bodies.set(made.graph, made.nodes)
      inner.set(node, made.graph)
    }
    yield
  }
  return { graph: buildGraph(body, (node) => shapeOf(node, compilers.typeOf(node), inner.get(node))), nodes }
}

const compiling = function* (definition: Definition, nodeTypes: ReadonlyMap<string, NodeType>): Interruptible<CompiledVersion> {
  const bodies = new Map<Graph, readonly CompiledNode[]>()
  const { graph, nodes } = yield* compilingBody(definition, 'outside', {
    typeOf: (node) => {
      const type = nodeTypes.get(node.type)
      if (type === undefined) throw new Error(`There is no node type "${node.type}"`)
      return type
    },
    validatorOf: evaluatedConfigs(),
    outside: { config: expressionCompiler(roots), retry: expressionCompiler(retryRoots) },
    inside: { config: expressionCompiler(loopRoots), retry: expressionCompiler(loopRetryRoots) },
    bodies,
  })
  const triggers = new Map(
    definition.nodes.flatMap((node, index) =>
      nodes[index]?.type.kind === 'trigger' && node.disabled !== true ? [[node.id, node.type]] : [],
    ),
  )
  const starts_executions = [nodes, ...bodies.values()].some((list) =>
    list.some(({ type }) => type.kind === 'effect' && type.starts_executions === true),
  )
  const waits = definition.nodes.some(waitsForCall)
  const variables = namedVariables(definition.nodes)
  const { settings = {} } = definition
  return {
    ...{ graph, nodes, bodies, starts_executions, waits, variables },
    limits: limitsOf(settings),
    priority: settings.priority ?? 0,
    triggerType: (node_id) => triggers.get(node_id) ?? null,
  }
}

const waitsForCall = ({ type, config = {} }: DefinitionNode): boolean => {
  if (type === 'flow.wait') return config['webhook'] === true
  const { body } = config
  return isJsonObject(body) && Array.isArray(body['nodes']) && (body['nodes'] as DefinitionNode[]).some(waitsForCall)
}

/** What an execution tells its expressions about itself. */
export interface ScopeFacts {
  readonly execution_id: string
  readonly workspace_id: string
  readonly workflow_id: string
  readonly version: number
  readonly mode: ExecutionMode
  /** Present when a step of another execution has started it. */
  readonly call?: CalledBy | null
  /** The line it stood in; of a workflow with limits. */
  readonly line?: string | null
  /** Unix milliseconds. */
  readonly started_at: number
  /** The variables of its workspace that it names, as they were when it began. */
  readonly vars?: JsonObject
  /** Where it is called to go on; given where it may wait for that. */
  readonly resumeUrl?: () => string
}

/** What the expressions of an execution see: made once, true for its whole life, because outputs are looked up when they are named. */
export const scopeFor = (input: { readonly version: CompiledVersion; readonly run: Run; readonly facts: ScopeFacts }): Scope => {
  const { run, facts } = input
  const { resumeUrl } = facts
  const execution = {
    id: facts.execution_id,
    workflow_id: facts.workflow_id,
    version: facts.version,
    mode: facts.mode,
    started_at: new Date(facts.started_at).toISOString(),
  }
  // Worked out when an expression names it.
  if (resumeUrl !== undefined) Object.defineProperty(execution, 'resume_url', { get: resumeUrl, enumerable: true })
  return {
    trigger: run.fired.payload,
    execution,
    workspace: { id: facts.workspace_id },
    vars: facts.vars ?? {},
    output: (node_id): Json | undefined => outputOf(run, node_id),
    outputs: () => outputsOf(run),
  }
}

/** What the expressions of a body see: what those around it do, the item, and the outputs of their own turn. */
export const scopeIn = (outer: Scope, run: Run, place: { readonly item: Json; readonly turn: number }): Scope => ({
  trigger: outer.trigger,
  execution: outer.execution,
  workspace: outer.workspace,
  vars: outer.vars,
  item: place.item,
  index: place.turn,
  output: (node_id): Json | undefined => outputOf(run, node_id),
  outputs: () => outputsOf(run),
})
