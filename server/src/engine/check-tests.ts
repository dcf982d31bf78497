import { Compile } from 'typebox/compile'
import { closest } from '../lib/closest.ts'
import { isJsonObject, type JsonObject } from '../lib/json.ts'
import type { Interruptible } from '../lib/turns.ts'
import type { Level, SeenNode } from './check-graph.ts'
import { pointerTo } from './expression/config.ts'
import { limits } from './graph/definition.ts'
import type { Report } from './graph/problem.ts'
import { TestCase, TestReplies, TestReply } from './graph/test-case.ts'
import { schemaProblems } from './schema-problems.ts'

interface Checking {
  readonly nodes: ReadonlyMap<string, SeenNode>
  /** Of those that stand in no loop. */
  readonly outer: ReadonlySet<string>
  readonly report: Report
}

/** The nodes of all levels by id. */
const nodesOf = (level: Level, found = new Map<string, SeenNode>()): Map<string, SeenNode> => {
  for (const node of level.nodes) if (node.id !== null && !found.has(node.id)) found.set(node.id, node)
  for (const { level: inner } of level.bodies) nodesOf(inner, found)
  return found
}

/** What is wrong with the tests of a definition by itself: whether they pass is for a run to say. */
export const checkTests = function* (tests: readonly unknown[], level: Level, report: Report): Interruptible<void> {
  const say = (path: string, message: string): void => report({ path, severity: 'error', message })
  if (tests.length > limits.tests) return say('/tests', `There are ${tests.length} tests; ${limits.tests} are allowed`)
  const checking: Checking = { nodes: nodesOf(level), outer: new Set(level.nodes.flatMap(({ id }) => id ?? [])), report }
  const valid = Compile(TestCase)
  const names = new Map<string, number>()
  for (const [index, test] of tests.entries()) {
    const path = `/tests/${index}`
    if (!valid.Check(test)) checkShape(test, path, report)
    if (isJsonObject(test)) {
      const { name } = test
      const first = typeof name === 'string' ? names.get(name) : undefined
      if (typeof name === 'string' && first === undefined) names.set(name, index)
      else if (first !== undefined) say(`${path}/name`, `The test at /tests/${first} has this name already`)
      checkNames(test, path, checking)
    }
    yield
  }
}

/** The replies are looked at one by one: of a union the library says no more than that it has another form. */
const checkShape = (test: unknown, path: string, report: Report): void => {
  const replies = isJsonObject(test) ? test['replies'] : undefined
  const frame = isJsonObject(test) && isJsonObject(replies) ? { ...test, replies: {} } : test
  const say = (at: string, schema: Parameters<typeof schemaProblems>[0], value: unknown): void => {
    for (const problem of schemaProblems(schema, value)) report({ path: at + problem.path, severity: 'error', message: problem.message })
  }
  say(path, TestCase, frame)
  if (!isJsonObject(replies)) return
  for (const [key, given] of Object.entries(replies)) {
    const at = pointerTo(`${path}/replies`, key.slice(0, 1_000))
    if (!Array.isArray(given)) say(at, TestReply, given)
    else if (given.length === 0 || given.length > 100) say(at, TestReplies, given)
    else for (const [index, each] of given.entries()) say(`${at}/${index}`, TestReply, each)
  }
}

/** The node that a path leads to: `each[3].fetch` to `fetch`. */
const nodeAt = (path: string, { nodes }: Checking): SeenNode | null => {
  const form = /^(?:[A-Za-z][\w-]*\[\d+\]\.)*([A-Za-z][\w-]*)$/.exec(path)
  return nodes.get(form?.[1] ?? '') ?? null
}

const fieldsOf = (test: JsonObject, name: string): readonly [string, unknown][] => {
  const fields = test[name]
  return isJsonObject(fields) ? Object.entries(fields) : []
}

/** Whether what it names is there. */
const checkNames = (test: JsonObject, path: string, checking: Checking): void => {
  const { nodes, outer, report } = checking
  const say = (at: string, message: string): void => report({ path: at, severity: 'error', message })
  const noNode = (key: string): string => {
    const similar = closest(key, nodes.keys())
    return `There is no node "${key.slice(0, 100)}"${similar ? `; did you mean "${similar}"?` : ''}`
  }
  const trigger = isJsonObject(test['trigger']) ? test['trigger']['node_id'] : undefined
  if (typeof trigger === 'string') {
    const node = outer.has(trigger) ? nodes.get(trigger) : undefined
    if (node === undefined) say(`${path}/trigger/node_id`, noNode(trigger))
    else if (node.type !== null && node.type.kind !== 'trigger') say(`${path}/trigger/node_id`, `"${trigger}" is no trigger`)
    else if (node.node?.['disabled'] === true) say(`${path}/trigger/node_id`, `"${trigger}" is disabled`)
  }
  for (const [key, given] of fieldsOf(test, 'replies')) {
    const at = pointerTo(`${path}/replies`, key.slice(0, 1_000))
    const node = nodeAt(key, checking)
    if (node === null) say(at, noNode(key))
    else if (node.type !== null && node.type.kind !== 'effect') say(at, `"${node.id}" has no effect that could be answered: it is run`)
    for (const [index, reply] of (Array.isArray(given) ? (given as unknown[]) : [given]).entries())
      if (isJsonObject(reply)) checkReply(reply, Array.isArray(given) ? `${at}/${index}` : at, node, say)
  }
  const expected = isJsonObject(test['expect']) ? test['expect'] : {}
  for (const [key] of fieldsOf(expected, 'steps')) {
    if (nodeAt(key, checking) === null) say(pointerTo(`${path}/expect/steps`, key.slice(0, 1_000)), noNode(key))
  }
  for (const [key, port] of fieldsOf(expected, 'ports')) {
    const at = pointerTo(`${path}/expect/ports`, key.slice(0, 1_000))
    const node = nodeAt(key, checking)
    if (node === null) say(at, noNode(key))
    else if (typeof port === 'string') checkPort(port, at, node, say)
  }
}

type Say = (path: string, message: string) => void

const checkReply = (reply: JsonObject, path: string, node: SeenNode | null, say: Say): void => {
  const { output, port, error } = reply
  if ((output === undefined) === (error === undefined)) say(path, 'A reply has an "output" or an "error"')
  if (port === undefined || node === null) return
  if (error !== undefined) say(`${path}/port`, 'What fails leaves where its node says')
  else if (typeof port === 'string') checkPort(port, `${path}/port`, node, say)
}

const checkPort = (port: string, path: string, { id, ports, node }: SeenNode, say: Say): void => {
  if (ports === null || ports.includes(port) || (port === 'error' && node?.['on_error'] === 'error')) return
  say(path, `"${id}" has no port "${port.slice(0, 64)}"; it has ${ports.map((name) => `"${name}"`).join(', ')}`)
}
