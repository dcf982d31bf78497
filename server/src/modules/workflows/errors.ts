import { defineErrors } from '../../platform/errors.ts'

export const errors = defineErrors('workflows', {
  not_found: { status: 404, title: 'There is no such workflow', doc: 'The same for a workflow of another workspace.' },
  version_not_found: { status: 404, title: 'The workflow has no such version' },
  execution_not_found: { status: 404, title: 'There is no such execution', doc: 'The same for an execution of another workspace.' },
  hook_not_found: {
    status: 404,
    title: 'No active workflow listens here',
    doc: 'No workflow of the workspace has published this path, or the one that did is paused.',
  },
  form_not_found: {
    status: 404,
    title: 'There is no such form',
    doc: 'No workflow of the workspace has published a form at this path, or the one that did is paused.',
  },
  form_from_elsewhere: { status: 403, title: 'The form was sent by the page of another site' },
  hook_unauthorized: {
    status: 401,
    title: 'The webhook does not take this call',
    doc: 'Its credentials or its signature are missing, wrong, or too old. Which of them is for the sender to find out.',
  },
  secret_not_found: { status: 404, title: 'There is no such secret', doc: 'The same for a secret of another workspace.' },
  secret_name_taken: { status: 409, title: 'The workspace has a secret of this name' },
  secret_in_use: { status: 409, title: 'A published webhook asks for this secret' },
  too_many_secrets: { status: 409, title: 'The workspace has as many secrets as one may have' },
  template_not_found: { status: 404, title: 'There is no such template', doc: 'The same for a template of another workspace.' },
  template_built_in: { status: 409, title: 'This template comes with the product and stays as it is' },
  too_many_templates: { status: 409, title: 'The workspace has as many templates as one may have' },
  approval_not_found: { status: 404, title: 'Nothing waits for your decision here', doc: 'The same where others are asked.' },
  approval_closed: { status: 409, title: 'This has been decided, or its time is over' },
  decided_already: { status: 409, title: 'You have decided this before' },
  not_waiting: {
    status: 409,
    title: 'Nothing waits here any more',
    doc: 'The execution has gone on, has ended, or has not come so far yet.',
  },
  request_not_found: { status: 404, title: 'The workflow has had no such request' },
  request_not_replayable: {
    status: 409,
    title: 'The published version has no webhook of this id any more',
    doc: 'A request is replayed at the webhook that it came to.',
  },
  not_active: {
    status: 409,
    title: 'The workflow is not active',
    doc: 'Only an active workflow starts. Publish it, or resume it when it is paused.',
  },
  no_trigger: { status: 409, title: 'Every trigger of the workflow is disabled' },
  wrong_status: { status: 409, title: "The workflow's status does not allow this" },
  webhook_path_taken: { status: 409, title: 'Another workflow of the workspace has this webhook path' },
  hook_loop: {
    status: 409,
    title: 'Webhooks call each other in a circle',
    doc: 'A workflow called this webhook, and was itself called by a workflow, ten times over. `Millrace-Hops` counts them.',
  },
  execution_ended: { status: 409, title: 'The execution has ended already' },
  not_publishable: {
    status: 422,
    title: 'The draft has mistakes',
    doc: '`problems` lists all of them, as `POST /workflows/{id}/check` does; `errors` names each with its path.',
  },
  file_unreadable: {
    status: 422,
    title: 'The file is no workflow that can be read',
    doc: '`errors` says what is wrong with it, and where.',
  },
  definition_too_large: { status: 422, title: 'The definition is too large' },
  execution_failed: {
    status: 500,
    title: 'The workflow did not come to its end',
    doc: 'The execution that the webhook started failed, was cancelled or took too long. `execution_id` names it.',
  },
})
