import { Type, type Static } from 'typebox'
import { trigger } from '../node.ts'

const one_of = <const Value extends string>(values: readonly Value[], options: { description?: string; default?: Value } = {}) =>
  Type.Unsafe<Value>({ type: 'string', format: 'literal', enum: [...values], ...options })

const Method = one_of(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

export const WebhookConfig = Type.Object(
  {
    path: Type.String({
      format: 'literal',
      maxLength: 200,
      pattern: '^[A-Za-z0-9_~-][A-Za-z0-9._~-]*(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*$',
      description: 'What follows the workspace in the address: `orders/new`.',
    }),
    method: Type.Optional(
      one_of(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'], {
        description: 'POST when neither this nor `methods` is given.',
      }),
    ),
    methods: Type.Optional(
      Type.Array(Method, { minItems: 1, maxItems: 7, uniqueItems: true, description: 'Several methods, instead of `method`.' }),
    ),
    respond: Type.Optional(
      one_of(['immediate', 'last_node', 'respond_node'], {
        default: 'immediate',
        description: 'Answer at once with 202, with the output of the last node, or with what `http.respond` says.',
      }),
    ),
    status: Type.Optional(
      Type.Integer({ minimum: 200, maximum: 599, description: 'Status of the answer; 202 at once, else 200, when not given.' }),
    ),
  },
  { additionalProperties: false },
)
export type WebhookConfig = Static<typeof WebhookConfig>

/** The methods that a webhook listens to. */
export const methodsOf = (config: WebhookConfig): readonly string[] => config.methods ?? [config.method ?? 'POST']

export const webhookTrigger = trigger({
  type: 'trigger.webhook',
  title: 'Webhook',
  description: 'Starts on an HTTP request to the workspace’s address.',
  icon: 'webhook',
  config: WebhookConfig,
  output: Type.Object({
    method: Type.String(),
    path: Type.String(),
    headers: Type.Record(Type.String(), Type.Unknown(), { description: 'Names in lower case.' }),
    query: Type.Record(Type.String(), Type.Unknown()),
    body: Type.Unknown({ description: 'JSON parsed, a form as an object, text as text, null when empty.' }),
    raw_id: Type.Union([Type.String(), Type.Null()], { description: 'The request as it came, where it is kept.' }),
  }),
})
