import { Type, type Static } from 'typebox'
import type { Json, JsonObject } from '../../lib/json.ts'
import { Concurrency, Priority, RateLimit } from './limits.ts'
import { TestCase } from './test-case.ts'

export const limits = {
  nodes: 10_000,
  edges: 50_000,
  tests: 200,
  /** Bytes of the definition as JSON. */
  bytes: 2 * 1024 * 1024,
  /** Levels of arrays and objects in a config. */
  config_depth: 64,
} as const

const day_ms = 86_400_000

/** A node's or a port's name, as expressions and edges use it. */
export const slug = '^[A-Za-z][A-Za-z0-9_-]{0,63}$'

export const Retry = Type.Object(
  {
    max_attempts: Type.Integer({ minimum: 1, maximum: 100, description: 'Tries in all, the first one included.' }),
    backoff: Type.Optional(Type.Union([Type.Literal('fixed'), Type.Literal('exponential')], { default: 'exponential' })),
    delay_ms: Type.Optional(Type.Integer({ minimum: 0, maximum: 30 * day_ms, default: 1000 })),
    max_delay_ms: Type.Optional(Type.Integer({ minimum: 0, maximum: 30 * day_ms, default: 60 * 60 * 1000 })),
    jitter: Type.Optional(
      Type.Union([Type.Boolean(), Type.Number({ minimum: 0, maximum: 1 })], {
        default: true,
        description: 'Shortens each delay at random: by up to half, or by up to this part of it.',
      }),
    ),
    retry_if: Type.Optional(
      Type.String({ format: 'expression', description: 'A condition on `error { code, message, details }`; decides alone when given.' }),
    ),
  },
  { additionalProperties: false },
)
export type Retry = Static<typeof Retry>

export const on_error = ['fail', 'continue', 'error'] as const
export type OnError = (typeof on_error)[number]

export const DefinitionNode = Type.Object(
  {
    id: Type.String({ pattern: slug, description: 'What expressions call it: `steps.<id>.output`.' }),
    type: Type.String({ minLength: 1, maxLength: 100 }),
    name: Type.Optional(Type.String({ maxLength: 200 })),
    config: Type.Optional(Type.Unsafe<JsonObject>({ type: 'object' })),
    retry: Type.Optional(Retry),
    timeout_ms: Type.Optional(Type.Integer({ minimum: 1, maximum: 30 * day_ms })),
    on_error: Type.Optional(
      Type.Union([Type.Literal('fail'), Type.Literal('continue'), Type.Literal('error')], {
        default: 'fail',
        description: 'What the last failed attempt leads to: the end, port `out`, or port `error`.',
      }),
    ),
    disabled: Type.Optional(Type.Boolean({ description: 'Passes its input on without running.' })),
    position: Type.Optional(
      Type.Object({ x: Type.Number(), y: Type.Number() }, { additionalProperties: false, description: 'Layout; no meaning.' }),
    ),
  },
  { additionalProperties: false },
)
export type DefinitionNode = Static<typeof DefinitionNode>

export const DefinitionEdge = Type.Object(
  {
    from: Type.String({ maxLength: 64 }),
    port: Type.Optional(Type.String({ maxLength: 64, default: 'out' })),
    to: Type.String({ maxLength: 64 }),
  },
  { additionalProperties: false },
)
export type DefinitionEdge = Static<typeof DefinitionEdge>

export const DefinitionSettings = Type.Object(
  {
    timezone: Type.Optional(Type.String({ maxLength: 64, description: 'IANA name, as `Europe/Vienna`.' })),
    timeout_ms: Type.Optional(Type.Integer({ minimum: 1, maximum: 366 * day_ms, description: 'Of the whole execution, from its start.' })),
    concurrency: Type.Optional(Concurrency),
    rate_limit: Type.Optional(RateLimit),
    priority: Type.Optional(Priority),
    retention_days: Type.Optional(Type.Integer({ minimum: 1, maximum: 3650 })),
    error_workflow_id: Type.Optional(Type.String({ format: 'uuid' })),
  },
  { additionalProperties: false },
)

/** What a workflow does: its nodes, and the edges between them. Order and positions mean nothing. */
export const Definition = Type.Object(
  {
    nodes: Type.Array(DefinitionNode, { maxItems: limits.nodes }),
    edges: Type.Array(DefinitionEdge, { maxItems: limits.edges }),
    settings: Type.Optional(DefinitionSettings),
    tests: Type.Optional(
      Type.Array(TestCase, { maxItems: limits.tests, description: 'Run before each publish, which is refused where one fails.' }),
    ),
    pins: Type.Optional(
      Type.Unsafe<{ readonly [node_id: string]: Json }>({
        type: 'object',
        description: 'Outputs that nodes give in test runs, instead of running, by the id of the node.',
      }),
    ),
  },
  { additionalProperties: false },
)
export type Definition = Static<typeof Definition>
