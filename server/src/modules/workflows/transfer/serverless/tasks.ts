import type { DefinitionNode } from '../../../../engine/graph/definition.ts'
import { isJsonObject, type Json, type JsonObject } from '../../../../lib/json.ts'
import type { Expressions } from './jq.ts'

/** A task of the language, without its name. */
export type Task = JsonObject

export interface Writing {
  readonly expressions: Expressions
  readonly lost: (node_id: string | null, what: string) => void
  /** jq of what a node gets. */
  readonly inputOf: (node: DefinitionNode) => string
  /** Steps before a node, by id. */
  readonly before: (node: DefinitionNode) => readonly string[]
  readonly namespace: string
}

type Write = (node: DefinitionNode, config: JsonObject, writing: Writing) => Task

/** As it stands within a larger program: `${ x }` is x, anything else itself. */
export const program = (value: Json): string => {
  if (typeof value === 'string') return value.startsWith('${ ') && value.endsWith(' }') ? `(${value.slice(3, -2)})` : JSON.stringify(value)
  if (Array.isArray(value)) return `[${(value as readonly Json[]).map(program).join(', ')}]`
  if (!isJsonObject(value)) return JSON.stringify(value)
  return `{${Object.entries(value)
    .map(([key, each]) => `${JSON.stringify(key)}: ${program(each)}`)
    .join(', ')}}`
}

const runtime = (jq: string): string => `\${ ${jq} }`

const text = (value: Json | undefined): string => (typeof value === 'string' ? value : '')

const milliseconds = (value: Json | undefined): JsonObject => ({ milliseconds: typeof value === 'number' ? value : 0 })

const set: Write = (node, config, { expressions, inputOf }) => {
  const values = expressions.value(config['values'] ?? {}, node.id)
  const made = isJsonObject(values) && Object.keys(values).length === 0 ? runtime('{}') : values
  return config['keep'] === true ? { set: runtime(`${inputOf(node)} + ${program(values)}`) } : { set: made }
}

/** jq of a list, each element as `$item`. */
const each = (node: DefinitionNode, config: JsonObject, { expressions }: Writing, body: string): Task => {
  const items = config['items'] ?? []
  const list = typeof items === 'string' ? expressions.expression(items, node.id) : program(expressions.value(items, node.id))
  return { set: runtime(`[${list} | to_entries[] | .key as $index | .value as $item | ${body}]`) }
}

const map: Write = (node, config, writing) => {
  const { expression, values } = config
  const { expressions } = writing
  return each(
    node,
    config,
    writing,
    expression === undefined ? program(expressions.value(values ?? {}, node.id)) : expressions.expression(expression, node.id),
  )
}

const filter: Write = (node, config, writing) =>
  each(node, config, writing, `select(${writing.expressions.expression(config['condition'] ?? true, node.id)}) | $item`)

const request: Write = (node, config, { expressions, lost }) => {
  const { method, url, headers, query, body, integration_id, accept_status } = config
  if (integration_id !== undefined) lost(node.id, 'Its credential: name one under `endpoint.authentication`.')
  if (accept_status !== undefined) lost(node.id, `Which statuses are accepted (${text(accept_status)}): the runtime takes 2xx.`)
  const given = expressions.value(headers ?? {}, node.id)
  const named = isJsonObject(given)
    ? Object.fromEntries(Object.entries(given).map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)]))
    : {}
  return {
    call: 'http',
    with: {
      method: text(method).toLowerCase(),
      endpoint: { uri: expressions.value(url ?? '', node.id) },
      ...(Object.keys(named).length === 0 ? {} : { headers: named }),
      ...(query === undefined ? {} : { query: expressions.value(query, node.id) }),
      ...(body === undefined ? {} : { body: expressions.value(body, node.id) }),
      output: 'response',
    },
    output: { as: runtime('{status: .statusCode, headers: .headers, body: .content}') },
  }
}

const respond: Write = (node, config, { expressions, lost, inputOf }) => {
  lost(node.id, 'It answered the caller of a webhook; here it is what the workflow gives at that place.')
  const { status = 200, headers, body } = config
  return {
    set: {
      status: expressions.value(status, node.id),
      ...(headers === undefined ? {} : { headers: expressions.value(headers, node.id) }),
      body: body === undefined ? runtime(inputOf(node)) : expressions.value(body, node.id),
    },
  }
}

const wait: Write = (node, config, { expressions, lost, inputOf }) => {
  const output = { output: { as: runtime(inputOf(node)) } }
  if (config['webhook'] === true) {
    lost(node.id, 'It waited for a call of an address of its own; here it waits for an event of the type io.millrace.resume.')
    return { listen: { to: { one: { with: { type: 'io.millrace.resume' } } } } }
  }
  if (typeof config['for_ms'] === 'number') return { wait: milliseconds(config['for_ms']), ...output }
  const until = config['until'] ?? config['for_ms'] ?? null
  lost(
    node.id,
    `Until when it waits (${program(expressions.value(until, node.id))}) is worked out; the language waits for fixed lengths. Here it does not wait.`,
  )
  return { wait: { milliseconds: 0 }, ...output }
}

const approval: Write = (node, config, { lost }) => {
  lost(
    node.id,
    `Who is asked, how many are needed, the form and the message (${JSON.stringify(config['message'] ?? null)}): an event of the type io.millrace.approval.decided says what was decided.`,
  )
  return { listen: { to: { one: { with: { type: 'io.millrace.approval.decided' } } } }, output: { as: runtime('.[0].data // .[0]') } }
}

const call: Write = (node, config, { expressions, inputOf, namespace }) => {
  const { workflow_id, input, wait: waits } = config
  return {
    run: {
      workflow: {
        namespace,
        name:
          text(workflow_id)
            .replaceAll(/[^a-z0-9-]/g, '-')
            .replaceAll(/^-+|-+$/g, '')
            .slice(0, 63) || 'workflow',
        version: '0.0.0',
        input: { input: input === undefined ? runtime(inputOf(node)) : expressions.value(input, node.id) },
      },
      ...(waits === false ? { await: false } : {}),
    },
  }
}

const code: Write = (node, config, { lost, inputOf }) => {
  lost(node.id, 'Its program is a function of its input: the runtime has to call it with what comes in by `stdin`.')
  return {
    run: { script: { language: 'javascript', code: text(config['source']), stdin: runtime(`${inputOf(node)} | tojson`) } },
  }
}

const stop: Write = (node, config, { expressions }) => {
  const message = expressions.value(config['message'] ?? 'The workflow stopped here', node.id)
  if (config['status'] !== 'failed') return { set: { status: 'succeeded', message }, then: 'end' }
  return { raise: { error: { type: 'millrace://errors/flow.stopped', status: 500, title: message } } }
}

const merge: Write = (node, config, { before }) => {
  const steps = before(node)
  if (config['mode'] === 'first') return { set: runtime('.') }
  return {
    set: runtime(
      `{${steps.map((id) => `${JSON.stringify(id)}: $context.steps[${JSON.stringify(id)}].output`).join(', ')}} | with_entries(select(.value != null))`,
    ),
  }
}

/** Any other type is for the runtime to know. */
const foreign: Write = (node, config, { expressions, lost }) => {
  lost(node.id, `The type ${node.type}: the runtime has to know a function of this name.`)
  const given = expressions.value(config, node.id) as JsonObject
  return { call: node.type, with: Object.keys(given).length === 0 ? { id: node.id } : given }
}

const writers: { readonly [type: string]: Write } = {
  'data.set': set,
  'data.map': map,
  'data.filter': filter,
  'data.code': code,
  'http.request': request,
  'http.respond': respond,
  'flow.wait': wait,
  'flow.approval': approval,
  'flow.call': call,
  'flow.stop': stop,
  'flow.merge': merge,
}

/** What a failed attempt leads to, around the task. */
const guarded = (node: DefinitionNode, task: Task, { lost }: Writing): Task => {
  const { retry, on_error = 'fail' } = node
  if (retry === undefined && on_error === 'fail') return task
  if (retry?.retry_if !== undefined) lost(node.id, `The condition of its retries: \`${retry.retry_if}\`.`)
  const again =
    retry === undefined
      ? {}
      : {
          retry: {
            delay: milliseconds(retry.delay_ms ?? 1000),
            backoff: retry.backoff === 'fixed' ? { constant: {} } : { exponential: {} },
            limit: { attempt: { count: Math.max(1, retry.max_attempts - 1) } },
          },
        }
  const failed =
    on_error === 'fail'
      ? {}
      : {
          as: 'error',
          do: [
            {
              [`${node.id}_failed`]: {
                set: { error: { code: runtime('$error.type'), message: runtime('$error.detail // $error.title') } },
              },
            },
          ],
        }
  return { try: [{ [`${node.id}_try`]: task }], catch: { ...again, ...failed } }
}

/** A step as a task, which leaves what it gives where others look for it. */
export const taskOf = (node: DefinitionNode, writing: Writing): Task => {
  const { id, type, timeout_ms } = node
  const config = node.config ?? {}
  if (node.disabled === true) {
    writing.lost(id, 'It is disabled: it passes on what it gets.')
    return kept(id, { set: runtime(writing.inputOf(node)) })
  }
  const write = Object.hasOwn(writers, type) ? (writers[type] as Write) : foreign
  const task = guarded(node, write(node, config, writing), writing)
  const limited = timeout_ms === undefined ? task : { ...task, timeout: { after: milliseconds(timeout_ms) } }
  return type === 'flow.stop' ? limited : kept(id, limited)
}

/** With its output in the context, as expressions of other steps name it. */
export const kept = (id: string, task: Task): Task => ({
  ...task,
  export: { as: runtime(`($context // {}) * {steps: {${JSON.stringify(id)}: {output: .}}}`) },
})
