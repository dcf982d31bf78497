import { Type, type Static } from 'typebox'
import { trigger } from '../node.ts'

const one_of = <const Value extends string>(values: readonly Value[], options: { description?: string; default?: Value } = {}) =>
  Type.Unsafe<Value>({ type: 'string', format: 'literal', enum: [...values], ...options })

const Method = one_of(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

const literal = (options: { readonly maxLength: number; readonly pattern?: string; readonly description: string }) =>
  Type.String({ minLength: 1, format: 'literal', ...options })

const header_name = "^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$"

/** How a call has to prove itself. Which of the fields a type needs is checked before a workflow is published. */
export const WebhookAuth = Type.Object(
  {
    type: one_of(['none', 'basic', 'header', 'hmac', 'github', 'stripe', 'standard_webhooks'], {
      description:
        'Nothing; a user name and a password; a header with a secret; a signature of the body under a secret; or the signatures of GitHub, Stripe and Standard Webhooks.',
    }),
    secret_id: Type.Optional(
      literal({
        maxLength: 36,
        pattern: '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$',
        description: 'A secret of the workspace: the password, the value of the header, or the key of the signature.',
      }),
    ),
    username: Type.Optional(literal({ maxLength: 200, pattern: '^[^:\\x00-\\x1f\\x7f]+$', description: '`basic`: who calls.' })),
    header: Type.Optional(
      literal({
        maxLength: 100,
        pattern: header_name,
        description: '`header`: where the secret stands. `hmac`: where the signature stands.',
      }),
    ),
    prefix: Type.Optional(
      literal({ maxLength: 50, description: '`header` and `hmac`: what stands before the value, as `sha256=` or `Bearer `.' }),
    ),
    algorithm: Type.Optional(one_of(['sha256', 'sha512', 'sha1'], { default: 'sha256', description: '`hmac`.' })),
    encoding: Type.Optional(one_of(['hex', 'base64'], { default: 'hex', description: '`hmac`.' })),
    tolerance_s: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 86_400,
        default: 300,
        description: '`stripe` and `standard_webhooks`: how far its time may be from ours.',
      }),
    ),
  },
  { additionalProperties: false },
)
export type WebhookAuth = Static<typeof WebhookAuth>

/** Which calls are one delivery, sent again because its sender has not heard the answer. */
export const WebhookDedupe = Type.Object(
  {
    header: Type.Optional(literal({ maxLength: 100, pattern: header_name, description: 'Where the id of the delivery stands.' })),
    expression: Type.Optional(
      Type.String({ format: 'expression', maxLength: 2_000, description: 'The id of the delivery, from `trigger`: `trigger.body.id`.' }),
    ),
    window_s: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 2_592_000, default: 86_400, description: 'How long a delivery is remembered, in seconds.' }),
    ),
  },
  { additionalProperties: false },
)
export type WebhookDedupe = Static<typeof WebhookDedupe>

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
    auth: Type.Optional(WebhookAuth),
    dedupe: Type.Optional(
      Type.Object(WebhookDedupe.properties, {
        additionalProperties: false,
        description:
          'A delivery that comes twice starts one execution and is answered the same. With `auth` of GitHub, Stripe or Standard Webhooks an empty object will do.',
      }),
    ),
    keep_requests: Type.Optional(
      one_of(['none', 'refused', 'all'], {
        default: 'none',
        description:
          'Which calls are kept as they came, for some days: none, so that only executions tell of calls; those that started nothing; or also the exact bytes of those that did.',
      }),
    ),
  },
  { additionalProperties: false },
)
export type KeepRequests = 'none' | 'refused' | 'all'
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
    raw_id: Type.Union([Type.String(), Type.Null()], { description: 'The id of the request, as `GET /workflows/{id}/requests` lists it.' }),
  }),
  example: {
    config: { path: 'orders/new', respond: 'last_node' },
    trigger: {
      method: 'POST',
      path: 'orders/new',
      headers: { 'content-type': 'application/json' },
      query: {},
      body: { id: 7, total: 250 },
      raw_id: null,
    },
  },
})
