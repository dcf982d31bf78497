import type { JsonObject } from '../../../../lib/json.ts'
import { defineTemplate, integrationParameter, parameter, pathParameter, secretParameter } from './define.ts'

const post = (id: string, text: string) => ({
  id,
  type: 'slack.post',
  config: { integration_id: parameter('slack'), channel: parameter('channel'), text },
  retry: { max_attempts: 5, delay_ms: 1_000 },
})

const call = (event: string, body: JsonObject) => ({
  node_id: 'github',
  payload: { method: 'POST', path: 'github', headers: { 'x-github-event': event }, query: {}, body, raw_id: null },
})
const repository = { full_name: 'acme/mill' }
const posted = { output: { channel: 'C1', ts: '1.0' } }

export const githubToSlack = defineTemplate({
  id: 'github-to-slack',
  title: 'Tell Slack what happens on GitHub',
  description:
    'Posts releases, opened pull requests and failed workflow runs of a repository to a channel. Calls have to be signed by GitHub, and a delivery that comes twice is posted once.',
  category: 'services',
  icon: 'brand-github',
  parameters: [
    pathParameter('github'),
    secretParameter('Secret of the webhook', 'Kept under `POST /workflows/secrets`, and given to GitHub with the address of the webhook.'),
    integrationParameter('slack', 'slack', 'Slack'),
    { name: 'channel', title: 'Channel', schema: { type: 'string', maxLength: 200 }, default: '#general' },
  ],
  definition: {
    nodes: [
      {
        id: 'github',
        type: 'trigger.webhook',
        config: { path: parameter('path'), auth: { type: 'github', secret_id: parameter('secret_id') }, dedupe: {} },
      },
      {
        id: 'kind',
        type: 'flow.switch',
        config: {
          cases: [
            { port: 'release', when: 'trigger.headers["x-github-event"] == "release" && trigger.body.action == "published"' },
            { port: 'pull_request', when: 'trigger.headers["x-github-event"] == "pull_request" && trigger.body.action == "opened"' },
            {
              port: 'failed_run',
              when: 'trigger.headers["x-github-event"] == "workflow_run" && trigger.body.action == "completed" && trigger.body.workflow_run.conclusion == "failure"',
            },
          ],
        },
      },
      post(
        'tell_release',
        '{{ trigger.body.repository.full_name }} {{ trigger.body.release.tag_name }} is out: {{ trigger.body.release.html_url }}',
      ),
      post(
        'tell_pull_request',
        '{{ trigger.body.pull_request.user.login }} opened "{{ trigger.body.pull_request.title }}" in {{ trigger.body.repository.full_name }}: {{ trigger.body.pull_request.html_url }}',
      ),
      post(
        'tell_failed_run',
        '"{{ trigger.body.workflow_run.name }}" failed on {{ trigger.body.workflow_run.head_branch }} of {{ trigger.body.repository.full_name }}: {{ trigger.body.workflow_run.html_url }}',
      ),
    ],
    edges: [
      { from: 'github', to: 'kind' },
      ...['release', 'pull_request', 'failed_run'].map((port) => ({ from: 'kind', port, to: `tell_${port}` })),
    ],
  },
  tests: [
    {
      name: 'posts a release',
      trigger: call('release', { action: 'published', repository, release: { tag_name: 'v2', html_url: 'https://github.com/x' } }),
      replies: { tell_release: posted },
      expect: { status: 'succeeded', ports: { kind: 'release', tell_release: 'out', tell_pull_request: null } },
    },
    {
      name: 'says nothing of a run that went well',
      trigger: call('workflow_run', { action: 'completed', repository, workflow_run: { conclusion: 'success' } }),
      expect: { status: 'succeeded', ports: { kind: 'otherwise', tell_failed_run: null } },
    },
  ],
})
