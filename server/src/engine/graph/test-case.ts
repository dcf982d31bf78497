import { Type, type Static } from 'typebox'
import type { Json, JsonObject } from '../../lib/json.ts'

const Any = (description: string) => Type.Unsafe<Json>({ description })
const noMore = { additionalProperties: false } as const

/** What an effect answered, once: its output, or the error that it failed with. One of the two. */
export const TestReply = Type.Object(
  {
    output: Type.Optional(Any('What the step gives.')),
    port: Type.Optional(Type.String({ minLength: 1, maxLength: 64, description: 'Where it leaves; `out` when not given.' })),
    error: Type.Optional(
      Type.Object(
        {
          code: Type.String({ minLength: 1, maxLength: 200 }),
          message: Type.String({ maxLength: 10_000 }),
          details: Type.Optional(Type.Union([Type.Unsafe<JsonObject>({ type: 'object' }), Type.Null()])),
          retryable: Type.Optional(Type.Boolean({ description: 'Whether trying again may help, where the node has no `retry_if`.' })),
        },
        noMore,
      ),
    ),
  },
  noMore,
)
export type TestReply = Static<typeof TestReply>

/** One for all attempts, or one for each of them. */
export const TestReplies = Type.Union([TestReply, Type.Array(TestReply, { minItems: 1, maxItems: 100 })])

export const testStatuses = ['succeeded', 'failed', 'timed_out'] as const

const Expected = Type.Object(
  {
    status: Type.Unsafe<(typeof testStatuses)[number]>({ type: 'string', enum: [...testStatuses] }),
    output: Type.Optional(Any('What the step gives that finishes last.')),
    error: Type.Optional(
      Type.Object({ code: Type.Optional(Type.String({ maxLength: 200 })), node_id: Type.Optional(Type.String({ maxLength: 64 })) }, noMore),
    ),
    steps: Type.Optional(
      Type.Record(Type.String({ maxLength: 1_000 }), Any('Its output.'), {
        description: 'Outputs of steps, by the id of their node, or by their path where they stand in a loop: `each[0].price`.',
      }),
    ),
    ports: Type.Optional(
      Type.Record(Type.String({ maxLength: 1_000 }), Type.Union([Type.String({ maxLength: 64 }), Type.Null()]), {
        description: 'The port through which a node leaves; null where it must not run.',
      }),
    ),
  },
  noMore,
)

/** A run that is expected to come out the same: how it starts, what the world answers, and what it gives. */
export const TestCase = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 200, pattern: '\\S' }),
    trigger: Type.Object({ node_id: Type.String({ maxLength: 64 }), payload: Any('What `trigger` is in expressions.') }, noMore),
    execution: Type.Optional(
      Type.Object(
        {
          id: Type.Optional(Type.String({ format: 'uuid' })),
          started_at: Type.Optional(Type.String({ format: 'date-time' })),
          version: Type.Optional(Type.Integer({ minimum: 0, maximum: 2_147_483_647 })),
          mode: Type.Optional(Type.Union([Type.Literal('live'), Type.Literal('test')])),
        },
        { ...noMore, description: 'What `execution` is in expressions, so that what is made of it comes out the same.' },
      ),
    ),
    vars: Type.Optional(Type.Unsafe<JsonObject>({ type: 'object', description: 'The variables of the workspace, by name.' })),
    replies: Type.Optional(
      Type.Record(Type.String({ maxLength: 1_000 }), TestReplies, {
        description: 'What effects answer, by the path of their step: `fetch`, `each[3].fetch`. One without an answer fails the test.',
      }),
    ),
    expect: Expected,
    ignore: Type.Optional(
      Type.Array(Type.String({ maxLength: 1_000, pattern: '^/' }), {
        maxItems: 200,
        description: 'JSON Pointers into `expect` that may differ, `*` standing for any name: `/output/id`, `/steps/list/items/*/at`.',
      }),
    ),
  },
  noMore,
)
export type TestCase = Static<typeof TestCase>
