import type { Json, JsonObject } from '../../lib/json.ts'
import { type CompiledVersion, compileVersion, scopeFor } from '../compile.ts'
import { begin } from '../graph/plan.ts'
import type { NodeResult, NodeType } from '../node.ts'
import { manualTrigger } from './trigger-manual.ts'

const facts = {
  execution_id: '01900000-0000-7000-8000-000000000001',
  workspace_id: '01900000-0000-7000-8000-000000000002',
  workflow_id: '01900000-0000-7000-8000-000000000003',
  version: 1,
  mode: 'live',
  started_at: Date.UTC(2026, 0, 1),
} as const

export const definitionWith = (type: NodeType, config: JsonObject) => ({
  nodes: [
    { id: 'start', type: manualTrigger.type },
    { id: 'node', type: type.type, config },
  ],
  edges: [{ from: 'start', to: 'node' }],
})

export const versionWith = (type: NodeType, config: JsonObject): CompiledVersion =>
  compileVersion(definitionWith(type, config), new Map([manualTrigger, type].map((each) => [each.type, each])))

const inputOf = (version: CompiledVersion, trigger: Json) => {
  const run = begin(version.graph, { node_id: 'start', payload: trigger, at: facts.started_at })
  const config = version.nodes[1]?.evaluate(scopeFor({ version, run, facts })) as never
  return { config, input: trigger, inputs: { start: trigger } }
}

/** Runs a node without effects right after a trigger with this payload. */
export const runNode = (type: NodeType, config: JsonObject, trigger: Json): NodeResult => {
  if (type.kind !== 'pure') throw new Error(`${type.type} is no pure node`)
  return type.run(inputOf(versionWith(type, config), trigger))
}

/** The same in pieces; answers with the time of the longest, in milliseconds. */
export const longestTurn = (type: NodeType, config: JsonObject, trigger: Json): { readonly ms: number; readonly output: Json } => {
  if (type.kind !== 'pure' || type.turns === undefined) throw new Error(`${type.type} does not work in turns`)
  const work = type.turns(inputOf(versionWith(type, config), trigger))
  for (let ms = 0; ;) {
    const started = performance.now()
    const { done, value } = work.next()
    ms = Math.max(ms, performance.now() - started)
    if (done === true) return { ms, output: value.output }
  }
}
