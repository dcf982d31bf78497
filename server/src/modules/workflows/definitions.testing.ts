import type { JsonObject } from '../../lib/json.ts'
import type { TestReply, TestUser } from '../../test-app.ts'

/** A webhook that answers with what a step made of the call. */
export const webhookDefinition = (path: string, config: JsonObject = {}, values: JsonObject = { got: '{{ trigger.body }}' }) => ({
  nodes: [
    { id: 'hook', type: 'trigger.webhook', config: { path, respond: 'last_node', ...config } },
    { id: 'set', type: 'data.set', config: { values } },
  ],
  edges: [{ from: 'hook', to: 'set' }],
})

export const respondDefinition = (path: string, respond: JsonObject) => ({
  nodes: [
    { id: 'hook', type: 'trigger.webhook', config: { path, respond: 'respond_node' } },
    { id: 'respond', type: 'http.respond', config: respond },
  ],
  edges: [{ from: 'hook', to: 'respond' }],
})

/** Calls `url` and gives its answer. */
export const requestDefinition = (trigger: JsonObject, url: string, more: JsonObject = {}) => ({
  nodes: [trigger, { id: 'fetch', type: 'http.request', config: { method: 'POST', url, body: '{{ trigger }}' }, ...more }],
  edges: [{ from: trigger['id'], to: 'fetch' }],
})

export const manual = { id: 'start', type: 'trigger.manual' }

const must = (reply: TestReply, status: number): TestReply['body'] => {
  if (reply.status !== status) throw new Error(`answered ${reply.status} instead of ${status}: ${JSON.stringify(reply.body)}`)
  return reply.body
}

export const create = async (user: TestUser, definition: object, more: object = {}): Promise<TestReply['body']> =>
  must(await user.call('POST', '/api/v1/workflows', { body: { name: 'A workflow', definition, ...more } }), 201)

/** A workflow that is active; answers with its id. */
export const publish = async (user: TestUser, definition: object): Promise<string> => {
  const { id } = await create(user, definition)
  must(await user.call('POST', `/api/v1/workflows/${id}/publish`), 201)
  return id as string
}
