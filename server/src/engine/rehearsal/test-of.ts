import { isJsonObject, type Json } from '../../lib/json.ts'
import type { Definition, DefinitionNode } from '../graph/definition.ts'
import { again_code, asleep_code, type Step } from '../graph/plan.ts'
import type { TestCase, TestReply } from '../graph/test-case.ts'
import type { NodeType } from '../node.ts'
import type { Recorded } from './recorded.ts'
import { resume_url } from './rehearse.ts'

type Replies = { [path: string]: TestReply | TestReply[] }

const pathOf = (step: Step): string => step.path ?? step.node_id

/**
 * The test that an execution passes: it starts as that did, its effects are answered as they were, attempt by attempt, and it is expected to end
 * the same, with the same outputs where it ended and the same ports where it branched.
 */
export const testOf = (
  recorded: Recorded,
  nodeTypes: ReadonlyMap<string, NodeType>,
  { name, ignore }: { readonly name: string; readonly ignore?: readonly string[] | undefined },
): TestCase => {
  const { id, started_at, version, mode, trigger, vars } = recorded
  const replies = repliesIn(recorded, nodeTypes)
  const test = {
    name,
    trigger,
    execution: { id, started_at, version, mode: mode === 'test' ? 'test' : 'live' },
    ...(vars === null ? {} : { vars }),
    ...(Object.keys(replies).length > 0 ? { replies } : {}),
    expect: expectedOf(recorded, nodeTypes, replies),
    ...(ignore === undefined || ignore.length === 0 ? {} : { ignore: [...ignore] }),
  } as TestCase
  return withoutResumeUrls(test) as unknown as TestCase
}

/** All nodes by id, those of bodies too. */
const nodesOf = (nodes: readonly DefinitionNode[], found = new Map<string, DefinitionNode>()): Map<string, DefinitionNode> => {
  for (const node of nodes) {
    found.set(node.id, node)
    const body = node.config?.['body']
    if (isJsonObject(body) && Array.isArray(body['nodes'])) nodesOf(body['nodes'], found)
  }
  return found
}

/** A step that asked to be run again later has neither failed nor answered. */
const isWaiting = ({ error, retry_at }: Step): boolean => retry_at !== null && (error?.code === again_code || error?.code === asleep_code)

const repliesIn = ({ steps, definition }: Recorded, nodeTypes: ReadonlyMap<string, NodeType>): Replies => {
  const nodes = nodesOf(definition.nodes)
  const found = new Map<string, TestReply[]>()
  for (const step of steps) {
    const node = nodes.get(step.node_id)
    const type = node?.disabled === true ? undefined : nodeTypes.get(node?.type ?? '')
    if (type?.kind !== 'effect' || type.harmless === true || isWaiting(step)) continue
    const replies = found.get(pathOf(step))
    if (replies === undefined) found.set(pathOf(step), [replyOf(step)])
    else replies.push(replyOf(step))
  }
  const given = [...found].map(([path, replies]): [string, TestReply | TestReply[]] => {
    const [only] = replies
    return [path, replies.length === 1 && only !== undefined ? only : replies]
  })
  return Object.fromEntries(given)
}

const replyOf = ({ status, output, port, error, retry_at }: Step): TestReply => {
  if (status === 'succeeded') return port === null || port === 'out' ? { output } : { output, port }
  const { code, message, details } = error ?? { code: 'node.unexpected', message: '', details: null }
  return { error: { code, message, ...(details === null ? {} : { details }), ...(retry_at === null ? {} : { retryable: true }) } }
}

const expectedOf = (recorded: Recorded, nodeTypes: ReadonlyMap<string, NodeType>, replies: Replies): TestCase['expect'] => {
  const { status, error, output, definition } = recorded
  const ended = recorded.steps.filter((step) => step.path === undefined && step.retry_at === null)
  const leaving = new Set(definition.edges.map(({ from }) => from))
  const leaves = ended.filter((step) => !leaving.has(step.node_id) && step.port !== null && !Object.hasOwn(replies, step.node_id))
  const branches = ended.filter((step) => step.port !== null && portsOf(definition, nodeTypes, step.node_id) > 1)
  return {
    status: status as TestCase['expect']['status'],
    ...(status === 'succeeded' ? { output } : {}),
    ...(error === null ? {} : { error: { code: error.code, ...(error.node_id === null ? {} : { node_id: error.node_id }) } }),
    // The output says the same of one that is alone.
    ...(leaves.length > 1 ? { steps: Object.fromEntries(leaves.map((step) => [step.node_id, step.output])) } : {}),
    ...(branches.length > 0 ? { ports: Object.fromEntries(branches.map((step) => [step.node_id, step.port])) } : {}),
  }
}

const portsOf = ({ nodes }: Definition, nodeTypes: ReadonlyMap<string, NodeType>, id: string): number => {
  const node = nodes.find((each) => each.id === id)
  const ports = nodeTypes.get(node?.type ?? '')?.ports
  const count = typeof ports === 'function' ? ports(node?.config ?? {}).length : (ports?.length ?? 1)
  return count + (node?.on_error === 'error' ? 1 : 0)
}

const resumeUrl = /https?:\/\/[^\s"'<>]{0,300}?\/resume\/mlrw_[0-9a-f]{32}_[\w-]{32}/g

/** Addresses at which executions are let go on are for their callers alone; in a test they are always the same one. */
const withoutResumeUrls = (value: Json): Json => {
  if (typeof value === 'string') return value.includes('mlrw_') ? value.replace(resumeUrl, resume_url) : value
  if (Array.isArray(value)) return (value as readonly Json[]).map(withoutResumeUrls)
  if (!isJsonObject(value)) return value
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, withoutResumeUrls(part)]))
}
