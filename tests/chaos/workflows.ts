import type { JsonObject } from '../../server/src/lib/json.ts'
import { type Kind, kinds } from './kinds.ts'

/** A signed-in account, and how it calls the API. */
export interface Account {
  readonly call: (method: string, path: string, body?: unknown) => Promise<Record<string, unknown>>
  /** The same account, at another server. */
  readonly at: (url: string) => Account
}

const patience_ms = 10_000

const send = async (url: string, token: string | null, method: string, path: string, body: unknown): Promise<Record<string, unknown>> => {
  const reply = await fetch(`${url}/api/v1${path}`, {
    method,
    headers: { 'content-type': 'application/json', ...(token === null ? {} : { authorization: `Bearer ${token}` }) },
    body: body === undefined ? null : JSON.stringify(body),
    signal: AbortSignal.timeout(patience_ms),
  })
  const text = await reply.text()
  if (!reply.ok) throw new Error(`${method} ${path}: ${reply.status} ${text}`)
  return JSON.parse(text) as Record<string, unknown>
}

const accountAt = (url: string, token: string): Account => ({
  call: (method, path, body) => send(url, token, method, path, body),
  at: (other) => accountAt(other, token),
})

export const signUp = async (url: string): Promise<Account> => {
  const credentials = { email: 'chaos@example.org', password: 'salt spray on the mill wheel', username: 'chaos' }
  const { access_token } = await send(url, null, 'POST', '/auth/register', credentials)
  return accountAt(url, String(access_token))
}

/** A workflow of a kind, published. */
export interface Workflow {
  readonly kind: Kind
  readonly id: string
  /** Of its webhook; null where it has none. */
  readonly path: string | null
}

const publish = async (account: Account, kind: Kind, definition: JsonObject): Promise<Workflow> => {
  const { id } = await account.call('POST', '/workflows', { name: kind.name, definition })
  const { triggers } = (await account.call('POST', `/workflows/${String(id)}/publish`, {})) as { triggers: { url?: string | null }[] }
  const url = triggers[0]?.url
  return { kind, id: String(id), path: typeof url === 'string' ? new URL(url).pathname : null }
}

/** Publishes one workflow of each kind. */
export const publishAll = async (account: Account, receiver_port: number): Promise<readonly Workflow[]> => {
  const made: Workflow[] = []
  const ids = new Map<string, string>([])
  for (const kind of kinds) {
    const workflow = await publish(account, kind, kind.definition({ receiver_port, ids }))
    ids.set(kind.name, workflow.id)
    made.push(workflow)
  }
  return made
}

/** What fires by itself stops, so that everything comes to an end. */
export const pauseTriggers = async (account: Account, workflows: readonly Workflow[]): Promise<void> => {
  for (const { kind, id } of workflows) if (kind.name === 'tick') await account.call('POST', `/workflows/${id}/pause`)
}
