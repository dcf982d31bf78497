import { Type, type Static } from 'typebox'
import { TestCase, TestReplies } from '../../../engine/graph/test-case.ts'

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

export const TestSelection = Type.Object(
  {
    names: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 200 }), { maxItems: 200, description: 'Those to run; all when not given.' }),
    ),
  },
  { additionalProperties: false, title: 'TestSelection' },
)

const Difference = Type.Object({
  path: Type.String({ description: 'JSON Pointer into what was expected.' }),
  expected: Type.Optional(Type.Unknown({ description: 'Left out where nothing was expected there.' })),
  actual: Type.Optional(Type.Unknown({ description: 'Left out where there is nothing.' })),
})

const outcome = {
  error: Type.Union([Type.String(), Type.Null()], { description: 'Why it could not be run to its end.' }),
  differences: Type.Array(Difference, { description: 'Some 50 of them at most; large values are cut.' }),
  unused_replies: Type.Array(Type.String(), { description: 'Paths of replies that no step has asked for.' }),
}

export const TestReport = Type.Object(
  {
    passed: Type.Integer(),
    failed: Type.Integer(),
    results: Type.Array(Type.Object({ name: Type.String(), ok: Type.Boolean(), ...outcome, duration_ms: Type.Integer() })),
  },
  { title: 'TestReport' },
)

export const NewTest = Type.Object(
  {
    name: TestCase.properties.name,
    replace: Type.Optional(Type.Boolean({ default: false, description: 'In the place of a test of the same name.' })),
    ignore: TestCase.properties.ignore,
  },
  { additionalProperties: false, title: 'NewTest' },
)
export type NewTest = Static<typeof NewTest>

export const SavedTest = Type.Object(
  {
    workflow_id: Type.String({ format: 'uuid' }),
    workflow_revision: Type.Integer({ description: 'Of the draft with the test.' }),
    test: Type.Unsafe<TestCase>({ type: 'object', description: 'As it stands in the draft.' }),
  },
  { title: 'SavedTest' },
)
export type SavedTest = Static<typeof SavedTest>

export const PreviewRequest = Type.Object(
  {
    last: Type.Optional(Type.Integer({ minimum: 1, maximum: 50, default: 10, description: 'So many of the executions that ended last.' })),
  },
  { additionalProperties: false, title: 'PreviewRequest' },
)

export const Preview = Type.Object(
  {
    changed: Type.Integer({ description: 'So many would have gone otherwise.' }),
    unchanged: Type.Integer(),
    executions: Type.Array(
      Type.Object({
        execution_id: Type.String({ format: 'uuid' }),
        version: Type.Optional(Type.Integer()),
        started_at: Type.Optional(Type.String({ format: 'date-time' })),
        changed: Type.Union([Type.Boolean(), Type.Null()], { description: 'Null where nobody can tell; `error` says why.' }),
        ...outcome,
        unused_replies: Type.Array(Type.String(), { description: 'Paths of effects that would not have been asked for any more.' }),
        new_effects: Type.Array(Type.String(), { description: 'Paths of effects that nothing was recorded of: the replay ended there.' }),
      }),
    ),
  },
  { title: 'Preview' },
)
export type Preview = Static<typeof Preview>
