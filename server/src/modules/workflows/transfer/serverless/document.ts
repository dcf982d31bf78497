import type { Definition, DefinitionEdge, DefinitionNode } from '../../../../engine/graph/definition.ts'
import type { Json, JsonObject } from '../../../../lib/json.ts'
import { openExpressions } from './jq.ts'
import { type Block, type Part, structured } from './structure.ts'
import { kept, type Task, taskOf, type Writing } from './tasks.ts'

export interface Lost {
  readonly node_id: string | null
  readonly what: string
}

export interface Exported {
  readonly document: object
  /** Nodes that a language of nested blocks cannot hold; empty where there is a document. */
  readonly tangled: readonly { readonly node_id: string; readonly why: string }[]
}

const most_nodes = 1_000

type Tasks = { readonly [name: string]: Task }[]

interface Scope {
  readonly writing: Writing
  readonly edges: readonly DefinitionEdge[]
  /** In the body of a loop or a branch: what ends there ends that alone. */
  readonly inner: boolean
  readonly tangled: { readonly node_id: string; readonly why: string }[]
}

const choosing = new Set(['flow.if', 'flow.switch', 'flow.approval'])

const chooses = (node: DefinitionNode): boolean => node.disabled !== true && (node.on_error === 'error' || choosing.has(node.type))

const nameOf = (part: Part | undefined): string => {
  if (part === undefined) return 'exit'
  return part.kind === 'fork' ? `${part.name}_fork` : part.node.id
}

const runtime = (jq: string): string => `\${ ${jq} }`

interface Case {
  readonly port: string
  readonly when: string | null
}

/** The ports of a node and when each is taken; null: where none of the others is. */
const casesOf = (node: DefinitionNode, { writing }: Scope): readonly Case[] => {
  const { expressions } = writing
  const config = node.config ?? {}
  const output = `$context.steps[${JSON.stringify(node.id)}].output`
  const failed: Case[] = node.on_error === 'error' ? [{ port: 'error', when: `(${output} | type == "object" and has("error"))` }] : []
  if (node.type === 'flow.if')
    return [...failed, { port: 'true', when: expressions.expression(config['condition'] ?? false, node.id) }, { port: 'false', when: null }]
  if (node.type === 'flow.switch') {
    const cases = config['cases'] as unknown as readonly { readonly port: string; readonly when: Json }[]
    return [
      ...failed,
      ...cases.map(({ port, when }) => ({ port, when: expressions.expression(when, node.id) })),
      { port: 'otherwise', when: null },
    ]
  }
  if (node.type === 'flow.approval')
    return [
      ...failed,
      ...['approved', 'rejected'].map((port) => ({ port, when: `(${output}.decision == ${JSON.stringify(port)})` })),
      { port: 'expired', when: null },
    ]
  return [...failed, { port: 'out', when: null }]
}

const choiceTasks = (part: Part & { readonly kind: 'choice' }, after: string, scope: Scope): Tasks => {
  const { node, ports } = part
  const { id } = node
  const cases = casesOf(node, scope)
  if (node.type === 'flow.switch' && node.config?.['first_match'] === false) return allMatching(part, cases, scope)
  const blocks = new Map(ports.map(({ port, block }) => [port, block]))
  // What chooses gives what it gets, under its own name as well.
  const passes = node.type === 'flow.if' || node.type === 'flow.switch'
  const own = passes ? kept(id, { set: runtime(scope.writing.inputOf(node)) }) : taskOf(node, scope.writing)
  // A port that nothing leads on from ends what it is in.
  const nowhere = after === 'exit' || scope.inner ? 'exit' : 'end'
  const target = (port: string): string => {
    const block = blocks.get(port)
    if (block === undefined) return nowhere
    return block.length === 0 ? after : `${id}_${port}`
  }
  const branches = cases.flatMap(({ port }): Tasks => {
    const block = blocks.get(port) ?? []
    return block.length === 0 ? [] : [{ [`${id}_${port}`]: { do: tasksOf(block, scope), then: after } }]
  })
  const switched = {
    switch: cases.map(({ port, when }) => ({ [port]: { ...(when === null ? {} : { when: runtime(when) }), then: target(port) } })),
  }
  return [{ [id]: own }, { [`${id}_choice`]: switched }, ...branches]
}

const allMatching = ({ node, ports }: Part & { readonly kind: 'choice' }, cases: readonly Case[], scope: Scope): Tasks => {
  const none = cases.flatMap(({ when }) => (when === null ? [] : [`(${when} | not)`])).join(' and ')
  const branches = ports
    .filter(({ block }) => block.length > 0)
    .map(({ port, block }) => {
      const when = cases.find((each) => each.port === port)?.when ?? none
      return { [`${node.id}_${port}`]: { if: runtime(when), do: tasksOf(block, { ...scope, inner: true }) } }
    })
  const input = { [node.id]: kept(node.id, { set: runtime(scope.writing.inputOf(node)) }) }
  return branches.length === 0 ? [input] : [input, { [`${node.id}_fork`]: { fork: { branches } } }]
}

const forkTasks = ({ name, branches }: Part & { readonly kind: 'fork' }, scope: Scope): Tasks => [
  {
    [`${name}_fork`]: {
      fork: {
        branches: branches.map((block, index) => ({ [`${name}_branch_${index + 1}`]: { do: tasksOf(block, { ...scope, inner: true }) } })),
      },
    },
  },
]

/** A loop: the language gives the last turn alone, so each turn is added to a list. */
const loopTasks = (node: DefinitionNode, scope: Scope): Tasks => {
  const { id } = node
  const config = node.config ?? {}
  const { writing } = scope
  const body = config['body'] as unknown as { readonly nodes: readonly DefinitionNode[]; readonly edges: readonly DefinitionEdge[] }
  for (const [field, what] of [
    ['parallel', 'Its items are worked on one by one.'],
    ['on_item_error', 'An item that fails ends the loop.'],
  ] as const)
    if (config[field] !== undefined && config[field] !== 1 && config[field] !== 'fail') writing.lost(id, what)
  const items = config['items'] ?? []
  const list = typeof items === 'string' ? writing.expressions.expression(items, id) : JSON.stringify(items)
  const size = config['batch_size']
  const batched = typeof size === 'number' && size > 1 ? `[${list} | range(0; length; ${size}) as $at | .[$at:$at + ${size}]]` : list
  const inner: Scope = { ...scope, edges: body.edges, inner: true, writing: { ...writing, ...looking(body.edges, body.nodes, '$item') } }
  const block = blockOf(
    body,
    inner,
    body.nodes.filter((each) => !body.edges.some(({ to }) => to === each.id)).map((each) => each.id),
  )
  const turns = `(${JSON.stringify(id)})`
  const turn = {
    [`${id}_turn`]: {
      do: tasksOf(block, inner),
      export: { as: runtime(`($context // {}) * {turns: {${turns}: ((($context.turns // {})[${JSON.stringify(id)}] // []) + [.])}}`) },
    },
  }
  return [
    { [id]: { set: runtime(writing.inputOf(node)), export: { as: runtime(`($context // {}) * {turns: {${turns}: []}}`) } } },
    { [`${id}_each`]: { for: { each: 'item', at: 'index', in: runtime(batched) }, do: [turn] } },
    { [`${id}_items`]: kept(id, { set: runtime(`{items: $context.turns[${JSON.stringify(id)}], errors: []}`) }) },
  ]
}

const partTasks = (part: Part, after: string, scope: Scope): Tasks => {
  if (part.kind === 'choice') return choiceTasks(part, after, scope)
  if (part.kind === 'fork') return forkTasks(part, scope)
  const { node } = part
  if (node.type === 'flow.while')
    scope.tangled.push({ node_id: node.id, why: 'There is no loop that goes on with what the turn before gave.' })
  if (node.type === 'flow.loop' && node.disabled !== true) return loopTasks(node, scope)
  return [{ [node.id]: taskOf(node, scope.writing) }]
}

const tasksOf = (block: Block, scope: Scope): Tasks => block.flatMap((part, index) => partTasks(part, nameOf(block[index + 1]), scope))

const looking = (
  edges: readonly DefinitionEdge[],
  nodes: readonly DefinitionNode[],
  start: string,
): Pick<Writing, 'inputOf' | 'before'> => {
  const triggers = new Set(nodes.filter(({ type }) => type.startsWith('trigger.')).map(({ id }) => id))
  const befores = new Map<string, Set<string>>()
  for (const { from, to } of edges) befores.set(to, (befores.get(to) ?? new Set()).add(from))
  const before = ({ id }: DefinitionNode): readonly string[] => [...(befores.get(id) ?? [])]
  return {
    before,
    inputOf: (node) => {
      const steps = before(node)
      const [only] = steps
      if (only === undefined || steps.every((id) => triggers.has(id))) return start
      return steps.length === 1 ? `$context.steps[${JSON.stringify(only)}].output` : '.'
    },
  }
}

const blockOf = (
  graph: { readonly nodes: readonly DefinitionNode[]; readonly edges: readonly DefinitionEdge[] },
  scope: Scope,
  starts: readonly string[],
): Block => {
  const { block, tangled, joins } = structured(graph, starts, chooses)
  for (const node_id of tangled)
    scope.tangled.push({ node_id, why: 'Ways lead to it from several branches that do not end together there.' })
  for (const node of graph.nodes) {
    if (node.type === 'flow.merge' && node.config?.['mode'] === 'first' && joins.has(node.id))
      scope.tangled.push({ node_id: node.id, why: 'It goes on with the first of several branches while the others go on as well.' })
  }
  return block
}

const label = (text: string, otherwise: string): string => {
  const made = text
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 63)
    .replace(/-+$/, '')
  return made === '' ? otherwise : made
}

const scheduleOf = (triggers: readonly DefinitionNode[], lost: Writing['lost']): JsonObject | null => {
  let schedule: JsonObject | null = null
  for (const { id, type, config = {} } of triggers) {
    const own: JsonObject | null =
      type === 'trigger.schedule'
        ? typeof config['cron'] === 'string'
          ? { cron: config['cron'] }
          : { every: { milliseconds: Number(config['every_ms']) } }
        : type === 'trigger.event'
          ? { on: { one: { with: { type: typeof config['name'] === 'string' ? config['name'] : '' } } } }
          : null
    if (own !== null && schedule === null) schedule = own
    else if (own !== null) lost(id, 'A workflow has one schedule; this one is left out.')
    else if (type === 'trigger.webhook')
      lost(
        id,
        'Its address, who may call it and how it answers: the runtime starts the workflow, with `{ method, path, headers, query, body }` as input.',
      )
    else if (type !== 'trigger.manual') lost(id, `What starts it (${type}): the runtime starts the workflow.`)
    if (type === 'trigger.event' && config['where'] !== undefined) lost(id, 'The condition on the event.')
  }
  return schedule
}

const noteRest = ({ nodes, settings, tests, pins }: Definition, lost: Writing['lost']): void => {
  if (nodes.some(({ position }) => position !== undefined)) lost(null, 'Where the nodes stand in the drawing.')
  if (pins !== undefined && Object.keys(pins).length > 0) lost(null, 'What is pinned.')
  if (tests !== undefined && tests.length > 0) lost(null, 'Its tests.')
  for (const [field, value] of Object.entries(settings ?? {}))
    if (field !== 'timeout_ms' && value !== undefined) lost(null, `The setting ${field}.`)
}

/**
 * A definition as a document of the Serverless Workflow DSL 1.0.3 (https://github.com/serverlessworkflow/specification), with what it loses under `document.metadata.lost`. What a step
 * gives is exported into `$context.steps.<id>.output`, the trigger is `$workflow.input`.
 */
export const serverless = (
  definition: Definition,
  about: {
    readonly id: string
    readonly name: string
    readonly description: string
    readonly version: number | null
    readonly namespace: string
  },
): Exported => {
  const lost: Lost[] = []
  const lose = (node_id: string | null, what: string): void => void lost.push({ node_id, what })
  const { nodes, edges, settings } = definition
  if (nodes.length > most_nodes)
    return { document: {}, tangled: [{ node_id: '', why: `It has ${nodes.length} nodes; ${most_nodes} can be exported` }] }
  const triggers = nodes.filter(({ type, disabled }) => type.startsWith('trigger.') && disabled !== true)
  const namespace = label(about.namespace, 'default')
  const writing: Writing = { expressions: openExpressions(lose), lost: lose, namespace, ...looking(edges, nodes, '$workflow.input') }
  const scope: Scope = { writing, edges, inner: false, tangled: [] }
  const starts = triggers.map(({ id }) => [...new Set(edges.filter(({ from }) => from === id).map(({ to }) => to))])
  const [first = []] = starts
  for (const [index, targets] of starts.entries())
    if (targets.toSorted().join('\0') !== first.toSorted().join('\0'))
      scope.tangled.push({ node_id: triggers[index]?.id ?? '', why: 'It starts somewhere else than the other triggers do.' })
  const schedule = scheduleOf(triggers, lose)
  const tasks = tasksOf(blockOf({ nodes, edges: edges.filter(({ from }) => !triggers.some(({ id }) => id === from)) }, scope, first), scope)
  noteRest(definition, lose)
  const document = {
    document: {
      dsl: '1.0.3',
      namespace,
      name: label(about.name, 'workflow'),
      version: `${about.version ?? 0}.0.0`,
      title: about.name,
      ...(about.description === '' ? {} : { summary: about.description }),
      metadata: { source: 'millrace', workflow_id: about.id, lost },
    },
    ...(settings?.timeout_ms === undefined ? {} : { timeout: { after: { milliseconds: settings.timeout_ms } } }),
    ...(schedule === null ? {} : { schedule }),
    do: tasks.length === 0 ? [{ nothing: { set: runtime('.') } }] : tasks,
  }
  return { document, tangled: scope.tangled }
}
