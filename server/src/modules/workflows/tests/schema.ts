import { Type, type Static } from 'typebox'
import { TestReplies } from '../../../engine/graph/test-case.ts'

export const NewTestRun = Type.Object(
  {
    input: Type.Optional(
      Type.Unknown({ description: 'What `trigger` is in expressions; what is pinned to the trigger, or an empty object, when not given.' }),
    ),
    trigger_node_id: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 64,
        description: 'Where it starts; at `trigger.manual`, or at the first trigger, when not given.',
      }),
    ),
    until_node: Type.Optional(
      Type.String({ minLength: 1, maxLength: 64, description: 'The last node: of the others only those are run that it needs.' }),
    ),
    pins: Type.Optional(
      Type.Record(Type.String({ maxLength: 64 }), Type.Unknown(), {
        maxProperties: 10_000,
        description: 'Outputs by node id, given without the node being run; they come before those of the definition.',
      }),
    ),
    replies: Type.Optional(
      Type.Record(Type.String({ maxLength: 1_000 }), TestReplies, {
        description: 'What effects are answered with, by the path of their step.',
      }),
    ),
    dry_run: Type.Optional(
      Type.Boolean({ default: false, description: 'Effects that are not answered are not done: each step says what it would have done.' }),
    ),
    wait_ms: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 60_000, description: 'How long to wait for the end before answering 202.' }),
    ),
  },
  { additionalProperties: false, title: 'NewTestRun' },
)
export type NewTestRun = Static<typeof NewTestRun>
