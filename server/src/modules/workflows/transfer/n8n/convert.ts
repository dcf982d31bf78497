import { limits as graph_limits } from '../../../../engine/graph/definition.ts'
import type { JsonObject } from '../../../../lib/json.ts'
import { inTurns, type Interruptible } from '../../../../lib/turns.ts'
import type { NewWorkflow } from '../../schema.ts'
import type { ImportReport, NodeReport } from '../schema.ts'
import { build } from './build.ts'
import type { Building } from './building.ts'
import { type FileProblem, type N8nFile, readFile } from './file.ts'
import { connect, type Level } from './level.ts'
import { numberAt, textAt } from './parameters.ts'

export interface Converted {
  readonly workflow: NewWorkflow
  readonly report: Omit<ImportReport, 'missing'>
}

const none = () => ({ translated: 0, changed: 0, left_over: 0 })

const counted = (lines: readonly { readonly outcome: NodeReport['outcome'] }[]) => {
  const counts = none()
  for (const { outcome } of lines) counts[outcome] += 1
  return counts
}

const settingsOf = ({ settings }: N8nFile, zone: string | null) => {
  const seconds = numberAt(settings, 'executionTimeout')
  return {
    ...(zone === null ? {} : { timezone: zone }),
    ...(seconds !== null && seconds > 0 ? { timeout_ms: Math.min(366 * 86_400_000, Math.round(seconds * 1000)) } : {}),
  }
}

const notesOf = ({ settings, remarks, nodes }: N8nFile): string[] => {
  const handler = textAt(settings, 'errorWorkflow')
  return [
    ...(handler === null
      ? []
      : [
          `Its failures started the workflow ${JSON.stringify(handler.slice(0, 100))} of n8n: import that, and name it as error_workflow_id.`,
        ]),
    ...(remarks.length === 0
      ? []
      : [`${remarks.length === 1 ? 'A sticky note has' : `${remarks.length} sticky notes have`} gone into the description.`]),
    ...(nodes.length === 0 ? ['There is no node in it.'] : []),
  ]
}

/** What the caller of a webhook, or of the workflow, gets: the item that the last nodes give, not all that a step records. */
const finish = (b: Building, level: Level): void => {
  const answers = level.nodes.some(({ type, config }) => type === 'trigger.webhook' && config?.['respond'] === 'last_node')
  const is_called = b.file.nodes.some(({ kind }) => kind === 'executeWorkflowTrigger')
  if (!answers && !is_called) return
  const every = b.file.nodes.some(({ kind, parameters }) => kind === 'webhook' && textAt(parameters, 'responseData') === 'allEntries')
  const used = new Set(level.edges.map(({ from, port = 'out' }) => `${from} ${port}`))
  for (const [node, outputs] of [...b.outs]) {
    for (const out of [...outputs.values()].flat()) {
      if (out.level !== level || out.from.every(({ step, port }) => used.has(`${step} ${port}`))) continue
      const { path, fields } = out.place
      const [only] = out.from
      const plain = fields === undefined && only !== undefined && path === `steps.${only.step}.output`
      if (plain && out.many === every) continue
      const id = b.id(node.name, 'result')
      if (every) level.nodes.push({ id, type: 'data.map', config: { items: out.many ? path : `[${path}]`, expression: 'item' } })
      else level.nodes.push({ id, type: 'data.set', config: { values: `{{ ${out.many ? `${path}.first()` : path} }}` as never } })
      connect(level, out.from, id)
    }
  }
}

const nodeReports = (b: Building): NodeReport[] => {
  const owners = new Map(b.file.nodes.flatMap((node) => node.parts.map((part) => [part, node] as const)))
  return b.file.nodes.map((node) => {
    const owner = owners.get(node)
    const report = b.reports.get(node)
    const line = { node: node.name, type: node.type, type_version: node.version }
    if (report === undefined && owner !== undefined)
      return {
        ...line,
        outcome: 'left_over',
        node_ids: [...(b.reports.get(owner)?.ids ?? [])],
        notes: [`It belongs to ${JSON.stringify(owner.name)}, and is kept with it.`],
      }
    if (report === undefined)
      return { ...line, outcome: 'translated', node_ids: [], notes: ['It asked whether the loop was done; a loop knows that by itself.'] }
    return { ...line, outcome: report.outcome, node_ids: [...new Set(report.ids)], notes: [...report.notes] }
  })
}

/** Makes a workflow of an n8n file, as far as it goes, and says of each node and expression what has become of it. */
export const convert = (given: JsonObject): Promise<Converted | Refused> => inTurns(converting(given))

interface Refused {
  readonly problems: readonly FileProblem[]
}

const converting = function* (given: JsonObject): Interruptible<Converted | Refused> {
  const { file, problems } = readFile(given)
  if (problems.length > 0) return { problems }
  const { building, level, problems: circles } = yield* build(file)
  if (circles.length > 0) return { problems: circles }
  finish(building, level)
  const nodes = nodeReports(building)
  const count = countSteps(level.nodes)
  if (count > graph_limits.nodes)
    return { problems: [{ path: '/nodes', message: `It would become ${count} nodes; ${graph_limits.nodes} are allowed` }] }
  const settings = settingsOf(file, building.zone)
  return {
    workflow: {
      name: file.name.slice(0, 200),
      description: file.remarks
        .filter((text) => text.trim() !== '')
        .join('\n\n')
        .slice(0, 10_000),
      tags: [...file.tags],
      definition: {
        nodes: level.nodes,
        edges: level.edges,
        ...(Object.keys(settings).length === 0 ? {} : { settings }),
        ...(building.pins.size === 0 ? {} : { pins: Object.fromEntries(building.pins) }),
      },
    },
    report: {
      source: 'n8n',
      counts: { nodes: counted(nodes), expressions: counted(building.expressions) },
      notes: notesOf(file),
      nodes,
      expressions: building.expressions,
    },
  }
}

const countSteps = (nodes: Level['nodes']): number =>
  nodes.reduce((total, { config }) => {
    const body = config?.['body'] as { readonly nodes?: Level['nodes'] } | undefined
    return total + 1 + (body?.nodes === undefined ? 0 : countSteps(body.nodes))
  }, 0)
