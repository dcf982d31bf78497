import { Type } from 'typebox'
import { ExecutionView } from '../../../engine/history.ts'
import { errors as engineErrors } from '../../../engine/errors.ts'
import { httpErrors } from '../../../platform/http/errors.ts'
import { reply, route } from '../../../platform/http/route.ts'
import { errors as planErrors } from '../../plans/errors.ts'
import { errors } from '../errors.ts'
import { body_limit_bytes, Id } from '../schema.ts'
import { testDraft } from './drafts.ts'
import { NewTest, NewTestRun, Preview, PreviewRequest, SavedTest, TestReport, TestSelection } from './schema.ts'
import { preview } from './preview.ts'
import * as tests from './tests.ts'

const params = Type.Object({ id: Id })

export const testWorkflow = route({
  method: 'POST',
  path: '/workflows/{id}/test',
  summary: 'Run the draft',
  description:
    'Runs the draft as it stands now, without publishing it, as an execution in mode `test` whose version is 0. Nodes with a pin give that instead of ' +
    'running; with `dry_run` nothing is done that has an effect. Answers 202 once the execution is durable, or 200 when it has ended within `wait_ms`.',
  allow: 'workflows:execute',
  idempotent: 'claimed',
  params,
  body: NewTestRun,
  body_limit_bytes,
  replies: { 202: ExecutionView, 200: ExecutionView },
  errors: [
    errors.not_found,
    errors.wrong_status,
    errors.no_trigger,
    errors.not_publishable,
    planErrors.limit_reached,
    httpErrors.precondition_failed,
    httpErrors.validation_failed,
  ],
  handler: async (ctx, { params: { id }, body, request }) => {
    const { in_time, execution } = await testDraft(ctx, id, body, request.if_match)
    return reply({ status: in_time ? 200 : 202, body: execution, headers: { location: `/api/v1/workflows/executions/${execution.id}` } })
  },
})

export const runWorkflowTests = route({
  method: 'POST',
  path: '/workflows/{id}/tests/run',
  summary: 'Run the tests of the draft',
  description:
    'In memory, with the replies that stand in the tests: nothing is written and nothing is sent, and no time is waited for. An effect without a reply ' +
    'fails its test; programs of `data.code` are run.',
  allow: 'workflows:execute',
  params,
  body: TestSelection,
  replies: { 200: TestReport },
  errors: [errors.not_found, errors.not_publishable, engineErrors.tests_busy, httpErrors.precondition_failed, httpErrors.validation_failed],
  handler: (ctx, { params: { id }, body, request }) => tests.run(ctx, id, body, request.if_match),
})

export const saveExecutionAsTest = route({
  method: 'POST',
  path: '/workflows/executions/{id}/save-as-test',
  summary: 'Make an execution a test of its workflow',
  description:
    'Adds to the draft the test that the execution would pass: how it started, what its effects were answered, attempt by attempt, how it ended, and ' +
    'what it gave.',
  allow: 'workflows:write',
  idempotent: true,
  params,
  body: NewTest,
  replies: { 201: SavedTest },
  errors: [
    errors.execution_not_found,
    errors.not_found,
    errors.not_replayable,
    errors.test_exists,
    errors.too_many_tests,
    errors.wrong_status,
    errors.definition_too_large,
  ],
  handler: (ctx, { params: { id }, body }) => tests.saveAsTest(ctx, id, body),
})

export const previewWorkflow = route({
  method: 'POST',
  path: '/workflows/{id}/preview',
  summary: 'What the draft would have made of the last executions',
  description:
    'Replays them in memory with what their effects were answered: nothing is written and nothing is sent. Told is where they would have gone otherwise.',
  allow: 'workflows:execute',
  params,
  body: PreviewRequest,
  replies: { 200: Preview },
  errors: [errors.not_found, errors.not_publishable, engineErrors.tests_busy, httpErrors.precondition_failed],
  handler: (ctx, { params: { id }, body, request }) => preview(ctx, id, body.last ?? 10, request.if_match),
})
