/** A signed-in account, and how it calls the API. */
export interface Account {
  readonly url: string
  readonly call: (method: string, path: string, body?: unknown) => Promise<Record<string, unknown>>
}

export const signUp = async (url: string): Promise<Account> => {
  const send = async (method: string, path: string, body: unknown, token: string | null): Promise<Record<string, unknown>> => {
    const reply = await fetch(`${url}/api/v1${path}`, {
      method,
      headers: { 'content-type': 'application/json', ...(token === null ? {} : { authorization: `Bearer ${token}` }) },
      body: body === undefined ? null : JSON.stringify(body),
    })
    const text = await reply.text()
    if (!reply.ok) throw new Error(`${method} ${path}: ${reply.status} ${text}`)
    return JSON.parse(text) as Record<string, unknown>
  }
  const credentials = { email: 'chaos@example.org', password: 'salt spray on the mill wheel', username: 'chaos' }
  const { access_token } = await send('POST', '/auth/register', credentials, null)
  return { url, call: (method, path, body) => send(method, path, body, String(access_token)) }
}

const publish = async (account: Account, name: string, definition: unknown): Promise<string> => {
  const created = await account.call('POST', '/workflows', { name, definition })
  const published = await account.call('POST', `/workflows/${String(created.id)}/publish`, {})
  const [trigger] = published.triggers as { url: string }[]
  if (trigger === undefined) throw new Error(`${name} was published without a trigger`)
  return new URL(new URL(trigger.url).pathname, account.url).href
}

/** Publishes the two workflows that the load starts, and answers with the addresses of their webhooks. */
export const createWorkflows = async (account: Account, receiver_port: number): Promise<{ effects: string; pure: string }> => {
  const call = (id: string, part: string) => ({
    id,
    type: 'http.request',
    config: { method: 'POST', url: `http://127.0.0.1:${receiver_port}/${part}`, body: { n: '{{ trigger.body.n }}' } },
    retry: { max_attempts: 10, backoff: 'fixed', delay_ms: 50 },
  })
  const effects = await publish(account, 'two effects in parallel, then one', {
    nodes: [
      { id: 'hook', type: 'trigger.webhook', config: { path: 'effects', method: 'POST', respond: 'immediate' } },
      call('left', 'left'),
      call('right', 'right'),
      { id: 'both', type: 'flow.merge', config: { mode: 'all' } },
      call('last', 'last'),
      { id: 'result', type: 'data.set', config: { values: { n: '{{ trigger.body.n }}', call: '{{ steps.last.output.body.call }}' } } },
    ],
    edges: [
      { from: 'hook', to: 'left' },
      { from: 'hook', to: 'right' },
      { from: 'left', to: 'both' },
      { from: 'right', to: 'both' },
      { from: 'both', to: 'last' },
      { from: 'last', to: 'result' },
    ],
  })
  const pure = await publish(account, 'no effects', {
    nodes: [
      { id: 'hook', type: 'trigger.webhook', config: { path: 'pure', method: 'POST', respond: 'last_node' } },
      { id: 'result', type: 'data.set', config: { values: { n: '{{ trigger.body.n }}', next: '{{ trigger.body.n + 1 }}' } } },
    ],
    edges: [{ from: 'hook', to: 'result' }],
  })
  return { effects, pure }
}
