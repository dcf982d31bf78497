import { isJsonObject, type Json, type JsonObject } from '../../../../lib/json.ts'

/** A node of an n8n file, as far as it means the same in all of them. */
export interface N8nNode {
  readonly name: string
  /** Without the package where that is n8n's own: `httpRequest`. */
  readonly kind: string
  readonly type: string
  readonly version: number
  readonly parameters: JsonObject
  readonly position: { readonly x: number; readonly y: number } | null
  readonly disabled: boolean
  readonly on_error: 'fail' | 'continue' | 'error'
  readonly retry: { readonly max_attempts: number; readonly delay_ms: number } | null
  readonly execute_once: boolean
  readonly always_output: boolean
  readonly credentials: readonly { readonly type: string; readonly name: string }[]
  /** As it stood in the file. */
  readonly original: JsonObject
  /** Models, tools and memories that are plugged into it. */
  readonly parts: N8nNode[]
}

export interface Link {
  readonly from: N8nNode
  readonly output: number
  readonly to: N8nNode
  readonly input: number
}

export interface N8nFile {
  readonly name: string
  readonly id: string | null
  readonly active: boolean
  readonly tags: readonly string[]
  readonly nodes: readonly N8nNode[]
  readonly links: readonly Link[]
  readonly settings: JsonObject
  readonly pins: ReadonlyMap<string, Json>
  /** What its sticky notes say. */
  readonly remarks: readonly string[]
}

export interface FileProblem {
  readonly path: string
  readonly message: string
}

export const limits = { nodes: 2_000, links: 10_000, loops: 200, problems: 100, expressions_of_a_node: 500 } as const

/** Does it look like a workflow of n8n? */
export const isN8n = (file: JsonObject): boolean => Array.isArray(file['nodes']) && isJsonObject(file['connections'])

const text = (value: Json | undefined): string | null => (typeof value === 'string' && value !== '' ? value : null)
const number = (value: Json | undefined): number | null => (typeof value === 'number' ? value : null)

const positionOf = (value: Json | undefined): N8nNode['position'] => {
  if (!Array.isArray(value)) return null
  const [x, y] = value as readonly Json[]
  return typeof x === 'number' && typeof y === 'number' ? { x, y } : null
}

const onErrorOf = (node: JsonObject): N8nNode['on_error'] => {
  if (node['onError'] === 'continueErrorOutput') return 'error'
  return node['onError'] === 'continueRegularOutput' || node['continueOnFail'] === true ? 'continue' : 'fail'
}

const retryOf = (node: JsonObject): N8nNode['retry'] =>
  node['retryOnFail'] !== true
    ? null
    : {
        max_attempts: Math.min(100, Math.max(1, Math.trunc(number(node['maxTries']) ?? 3))),
        delay_ms: Math.min(86_400_000, Math.max(0, Math.trunc(number(node['waitBetweenTries']) ?? 1_000))),
      }

const credentialsOf = (value: Json | undefined): N8nNode['credentials'] =>
  isJsonObject(value)
    ? Object.entries(value).map(([type, each]) => ({ type, name: (isJsonObject(each) ? text(each['name']) : null) ?? type }))
    : []

const nodeOf = (node: JsonObject, name: string, type: string): N8nNode => ({
  name,
  type,
  kind: type.replace(/^(?:n8n-nodes-base|@n8n\/n8n-nodes-langchain)\./, ''),
  version: number(node['typeVersion']) ?? 1,
  parameters: isJsonObject(node['parameters']) ? node['parameters'] : {},
  position: positionOf(node['position']),
  disabled: node['disabled'] === true,
  on_error: onErrorOf(node),
  retry: retryOf(node),
  execute_once: node['executeOnce'] === true,
  always_output: node['alwaysOutputData'] === true,
  credentials: credentialsOf(node['credentials']),
  original: node,
  parts: [],
})

/** So many of one node are translated at a stretch. */
const expressionsIn = (parameters: Json): number => {
  const rest = [parameters]
  let found = 0
  for (let value = rest.pop(); value !== undefined; value = rest.pop()) {
    if (typeof value === 'string') found += value.startsWith('=') ? 1 : 0
    else if (Array.isArray(value)) for (const each of value as readonly Json[]) rest.push(each)
    else if (isJsonObject(value)) for (const each of Object.values(value)) rest.push(each)
  }
  return found
}

const readNodes = (list: readonly Json[], say: (problem: FileProblem) => void): Map<string, N8nNode> => {
  const nodes = new Map<string, N8nNode>()
  for (const [index, node] of list.entries()) {
    const path = `/nodes/${index}`
    if (!isJsonObject(node)) {
      say({ path, message: 'must be an object' })
      continue
    }
    const name = text(node['name'])
    const type = text(node['type'])
    if (name === null) say({ path: `${path}/name`, message: 'A node needs a name: connections and expressions go by it' })
    if (type === null) say({ path: `${path}/type`, message: 'A node needs a type' })
    if (name === null || type === null) continue
    if (nodes.has(name)) say({ path: `${path}/name`, message: `There are two nodes of the name ${JSON.stringify(name.slice(0, 100))}` })
    const expressions = expressionsIn(node['parameters'] ?? null)
    if (expressions > limits.expressions_of_a_node)
      say({ path: `${path}/parameters`, message: `It has ${expressions} expressions; ${limits.expressions_of_a_node} can be imported` })
    nodes.set(name, nodeOf(node, name, type))
  }
  return nodes
}

interface Reading {
  readonly nodes: ReadonlyMap<string, N8nNode>
  readonly links: Link[]
  readonly say: (problem: FileProblem) => void
}

const readLink = (target: Json, from: N8nNode, output: number, kind: string, path: string, { nodes, links, say }: Reading): void => {
  const name = isJsonObject(target) ? text(target['node']) : null
  const to = name === null ? undefined : nodes.get(name)
  if (to === undefined) {
    const called = name === null ? 'no name' : JSON.stringify(name.slice(0, 100))
    return say({ path, message: `It leads to a node that is not there: ${called}` })
  }
  if (kind !== 'main') {
    // It points to what uses it.
    if (!to.parts.includes(from)) to.parts.push(from)
    return
  }
  const input = isJsonObject(target) ? (number(target['index']) ?? 0) : 0
  links.push({ from, output, to, input: Math.max(0, Math.trunc(input)) })
}

const readConnections = (connections: JsonObject, reading: Reading): void => {
  for (const [name, kinds] of Object.entries(connections)) {
    const path = `/connections/${name.slice(0, 100)}`
    const from = reading.nodes.get(name)
    if (from === undefined) {
      reading.say({ path, message: 'Connections begin at a node that is not there' })
      continue
    }
    if (!isJsonObject(kinds)) {
      reading.say({ path, message: 'must be an object' })
      continue
    }
    for (const [kind, outputs] of Object.entries(kinds)) {
      if (!Array.isArray(outputs)) {
        reading.say({ path: `${path}/${kind}`, message: 'must be a list of outputs' })
        continue
      }
      for (const [output, targets] of (outputs as readonly Json[]).entries()) {
        if (!Array.isArray(targets)) continue
        for (const [index, target] of (targets as readonly Json[]).entries())
          readLink(target, from, output, kind, `${path}/${kind}/${output}/${index}`, reading)
      }
    }
  }
}

const sticky = 'stickyNote'

/** Reads what n8n exports. `problems` is empty, or the file cannot be used. */
export const readFile = (file: JsonObject): { readonly file: N8nFile; readonly problems: readonly FileProblem[] } => {
  const problems: FileProblem[] = []
  const say = (problem: FileProblem): void => {
    if (problems.length < limits.problems) problems.push(problem)
  }
  const listed = file['nodes'] as readonly Json[]
  const few = listed.length <= limits.nodes
  if (!few) say({ path: '/nodes', message: `It has ${listed.length} nodes; ${limits.nodes} can be imported` })
  const nodes = few ? readNodes(listed, say) : new Map<string, N8nNode>()
  const links: Link[] = []
  if (few) readConnections(file['connections'] as JsonObject, { nodes, links, say })
  if (links.length > limits.links)
    say({ path: '/connections', message: `It has ${links.length} connections; ${limits.links} can be imported` })
  const all = [...nodes.values()]
  const loops = all.filter(({ kind }) => kind === 'splitInBatches').length
  if (loops > limits.loops) say({ path: '/nodes', message: `It has ${loops} loops over batches; ${limits.loops} can be imported` })
  const tags = Array.isArray(file['tags']) ? (file['tags'] as readonly Json[]) : []
  const names = tags.map((tag) => (isJsonObject(tag) ? tag['name'] : tag)).filter((tag) => typeof tag === 'string')
  return {
    problems,
    file: {
      name: text(file['name']) ?? 'Imported workflow',
      id: text(file['id']),
      active: file['active'] === true,
      tags: [...new Set(names.map((tag) => tag.trim().slice(0, 50)).filter((tag) => tag !== ''))].slice(0, 50),
      nodes: all.filter(({ kind }) => kind !== sticky),
      links: links.filter(({ from, to }) => from.kind !== sticky && to.kind !== sticky),
      settings: isJsonObject(file['settings']) ? file['settings'] : {},
      pins: new Map(isJsonObject(file['pinData']) ? Object.entries(file['pinData']) : []),
      remarks: all.filter(({ kind }) => kind === sticky).map(({ parameters }) => text(parameters['content']) ?? ''),
    },
  }
}
