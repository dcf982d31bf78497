import { Type } from 'typebox'
import { effect, NodeFailure, type NodeIo } from '../../../engine/node.ts'
import { retryAfter } from '../../../engine/nodes/http-answer.ts'
import { derivedId } from '../../../lib/derived-id.ts'
import { parseJsonText } from '../../../lib/json-text.ts'
import { isJsonObject, type JsonObject } from '../../../lib/json.ts'
import { Problem } from '../../../platform/errors.ts'
import { outbound, type OutboundResponse } from '../../../platform/outbound/outbound.ts'
import { asFailure } from '../credential.ts'
import { errors } from '../errors.ts'
import { type Opened, openForUse } from '../opened.ts'
import { formsOf, scrubbed } from '../scrub.ts'
import { below } from '../type.ts'

const Config = Type.Object(
  {
    integration_id: Type.String({
      format: 'literal',
      pattern: '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$',
      description: 'An integration of the type `slack`, whose app is a member of the channel.',
    }),
    channel: Type.String({ minLength: 1, maxLength: 200, description: 'Its id, or its name: `#alerts`.' }),
    text: Type.String({
      minLength: 1,
      maxLength: 40_000,
      description: 'In Slack’s own mark-up. Shown in notifications where there are blocks.',
    }),
    blocks: Type.Optional(Type.Unknown({ description: 'A list of Block Kit blocks.' })),
    thread_ts: Type.Optional(Type.String({ maxLength: 50, description: 'The `ts` of the message that this one answers.' })),
  },
  { additionalProperties: false },
)

const openSlack = async ({ app, workspace_id }: NodeIo, id: string): Promise<Opened> => {
  try {
    const opened = await openForUse(app.asSystem('a workflow posts to Slack', workspace_id), id)
    if (opened.type.type !== 'slack')
      throw errors.not_usable({ detail: `An integration of the type ${opened.type.type} posts nothing to Slack.` })
    return opened
  } catch (error) {
    throw asFailure(error)
  }
}

/** Errors of Slack's that pass by themselves; all others are the workflow's to mend. */
const passing = new Set([
  'ratelimited',
  'rate_limited',
  'internal_error',
  'fatal_error',
  'service_unavailable',
  'request_timeout',
  'team_added_to_org',
])
const passingProblems = new Set([
  'outbound.connect_failed',
  'outbound.connection_lost',
  'outbound.timeout',
  'outbound.busy',
  'outbound.aborted',
])

const saidBy = (answer: OutboundResponse): JsonObject | null => {
  try {
    const value = parseJsonText(answer.body.toString(), 64)
    return isJsonObject(value) ? value : null
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')

const judged = (answer: OutboundResponse, now: number): { readonly channel: string; readonly ts: string } => {
  const { status } = answer
  const said = saidBy(answer)
  const after = retryAfter(answer, now)
  const waits = after === null ? {} : { retry_after_ms: after }
  if (status !== 200 || said === null)
    throw new NodeFailure({
      code: status === 429 ? 'slack.ratelimited' : 'slack.status',
      message: `Slack answered ${status}${status === 200 ? ' with something that is no JSON' : ''}`,
      retryable: status === 429 || status === 408 || status >= 500,
      ...waits,
      details: { status },
    })
  if (said['ok'] === true) return { channel: textOf(said['channel']), ts: textOf(said['ts']) }
  // A word from a fixed list, `channel_not_found` for one.
  const error = typeof said['error'] === 'string' && /^[a-z_]{1,60}$/.test(said['error']) ? said['error'] : 'unknown'
  throw new NodeFailure({ code: `slack.${error}`, message: `Slack refuses the message: ${error}`, retryable: passing.has(error), ...waits })
}

export const slackPost = effect({
  type: 'slack.post',
  title: 'Post to Slack',
  description:
    'Posts a message to a channel. Each attempt of one step carries the same `client_msg_id`, by which Slack knows a message again.',
  icon: 'brand-slack',
  config: Config,
  check: ({ blocks }) =>
    blocks === undefined || typeof blocks === 'string' || Array.isArray(blocks) ? [] : [{ path: '/blocks', message: 'Blocks are a list' }],
  output: Type.Object({
    channel: Type.String({ description: 'Its id.' }),
    ts: Type.String({ description: 'What the message is answered by.' }),
  }),
  example: {
    config: {
      integration_id: '01a1f956-2339-7218-a618-cafa895d0845',
      channel: '#deploys',
      text: '{{ trigger.body.repository.full_name }} was released',
    },
    trigger: { body: { repository: { full_name: 'acme/mill' } } },
  },
  run: async ({ config }, io) => {
    const { row, type, credentials } = await openSlack(io, config.integration_id)
    const addition = type.sign?.(row.config, credentials) ?? {}
    const { channel, text, blocks, thread_ts } = config
    const message = {
      ...{ channel, text, client_msg_id: derivedId(io.execution_id, io.path) },
      ...(blocks === undefined || blocks === null ? {} : { blocks }),
      ...(thread_ts === undefined ? {} : { thread_ts }),
    }
    const answer = await io.app
      .use(outbound)
      .request({
        method: 'POST',
        url: below(String(row.config['base_url']), '/chat.postMessage'),
        headers: { ...addition.headers, 'content-type': 'application/json; charset=utf-8', 'idempotency-key': io.idempotency_key },
        body: JSON.stringify(message),
        ...{ timeout_ms: 30_000, max_bytes: 1_048_576, max_redirects: 0, signal: io.signal },
      })
      .catch((error: unknown) => {
        if (!(error instanceof Problem)) throw error
        throw new NodeFailure({ code: error.code, message: error.message, retryable: passingProblems.has(error.code) })
      })
    return { output: judged(scrubbed(answer, formsOf(credentials, addition)), io.app.now()) }
  },
})
