import { type Answer, type Asked, type Wire, wire } from '../wire.testing.ts'

export interface N8nWorkflow {
  readonly id: string
  readonly path: string
  readonly active: boolean
  readonly mode?: 'onReceived' | 'lastNode'
  readonly method?: string
  readonly fails?: boolean
}

/** What happens to a webhook call before n8n sees it, or on the way back. */
export type Weather = Answer | 'never answers, runs' | 'never answers, lost'

export interface StandIn extends Wire {
  readonly workflows: N8nWorkflow[]
  /** Used up one by one. */
  readonly weather: Weather[]
  /** Executions so far, with the calls that started them. */
  readonly runs: { readonly id: number; readonly workflowId: string; readonly status: string; readonly asked: Asked }[]
  /** The webhook calls among what was asked. */
  readonly calls: () => readonly Asked[]
  listening: string | null
}

export const api_key = 'n8n-api-key-1'

const unauthorized: Answer = { status: 401, body: { message: "'X-N8N-API-KEY' header required" } }

/** As much of n8n as a caller sees on the wire: webhooks of active workflows, test webhooks that listen, and the public API that tells of both. */
export const openN8n = async (): Promise<StandIn> => {
  const workflows: N8nWorkflow[] = []
  const runs: StandIn['runs'] = []
  const weather: Weather[] = []
  const service = await wire((asked) => {
    if (asked.path.startsWith('/api/v1/')) return asked.headers['x-n8n-api-key'] === api_key ? api(stand, asked) : unauthorized
    const next = weather.shift()
    if (next === 'never answers, lost') return null
    if (next === 'never answers, runs') {
      webhook(stand, asked)
      return null
    }
    return next ?? webhook(stand, asked)
  })
  const calls = (): readonly Asked[] => service.asked.filter(({ path }) => path.startsWith('/webhook'))
  const stand: StandIn = { ...service, workflows, weather, runs, calls, listening: null }
  return stand
}

const nodesOf = ({ path, method = 'POST', mode = 'onReceived' }: N8nWorkflow) => [
  { id: 'n1', name: 'Set', type: 'n8n-nodes-base.set', parameters: {} },
  {
    id: 'n2',
    name: 'Webhook',
    type: 'n8n-nodes-base.webhook',
    parameters: { path, httpMethod: method, responseMode: mode },
    webhookId: 'w',
  },
]

const api = ({ workflows, runs }: StandIn, { path, query }: Asked): Answer => {
  const id = path.slice('/api/v1/workflows/'.length)
  if (path.startsWith('/api/v1/workflows/')) {
    const workflow = workflows.find((one) => one.id === id)
    return workflow
      ? { body: { id, name: 'A workflow', active: workflow.active, nodes: nodesOf(workflow), connections: {} } }
      : { status: 404, body: { message: 'Not Found' } }
  }
  const data = runs
    .filter(({ workflowId }) => query.get('workflowId') === null || query.get('workflowId') === workflowId)
    .map(({ asked, ...run }) => ({
      ...run,
      finished: true,
      mode: 'webhook',
      data: { resultData: { runData: { Webhook: [{ headers: asked.headers }] } } },
    }))
  return { body: { data: data.toReversed(), nextCursor: null } }
}

const webhook = (stand: StandIn, asked: Asked): Answer => {
  const isTest = asked.path.startsWith('/webhook-test/')
  const path = decodeURIComponent(asked.path).replace(/^\/webhook(-test)?\//, '')
  const workflow = stand.workflows.find((one) => one.path === path && (isTest ? stand.listening === one.id : one.active))
  if (workflow === undefined)
    return {
      status: 404,
      body: { code: 404, message: `The requested webhook "POST ${path}" is not registered.`, hint: 'The workflow must be active' },
    }
  stand.runs.push({ id: stand.runs.length + 1, workflowId: workflow.id, status: workflow.fails ? 'error' : 'success', asked })
  if (workflow.fails) return { status: 500, body: { message: 'Error in workflow' } }
  return { body: workflow.mode === 'lastNode' ? { got: JSON.parse(asked.body).data } : { message: 'Workflow was started' } }
}
