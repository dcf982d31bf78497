import type { Definition, DefinitionNode } from '../../engine/graph/definition.ts'
import { type FormConfig, formTrigger } from '../../engine/nodes/trigger-form.ts'
import {
  type KeepRequests,
  methodsOf,
  type WebhookAuth,
  type WebhookConfig,
  type WebhookDedupe,
  webhookTrigger,
} from '../../engine/nodes/trigger-webhook.ts'
import { defaultDedupe, deliveryMistake } from './hooks/deliveries.ts'
import { authMistakes } from './hooks/signatures.ts'
import { form_method } from './hooks/table.ts'
import { isJsonObject } from '../../lib/json.ts'
import type { Problem } from './schema.ts'
import type { StoredTrigger, WebhookRow } from './store.ts'

/** A webhook as a definition declares it, one entry per method; or a form. */
export interface DeclaredWebhook {
  /** Of the node in the definition. */
  readonly index: number
  readonly node_id: string
  readonly method: string
  readonly path: string
  readonly respond: WebhookRow['respond']
  readonly status: number | null
  readonly auth: WebhookAuth | null
  readonly secret_id: string | null
  readonly dedupe: WebhookDedupe | null
  readonly form: FormConfig | null
  readonly keep_requests: KeepRequests
}

const isTrigger = (node: DefinitionNode): boolean => node.type.startsWith('trigger.') && node.disabled !== true

/** A draft may hold anything; what the check would refuse listens nowhere. */
const pathOf = (node: DefinitionNode): string | null => {
  const path = node.config?.['path']
  return (node.type === webhookTrigger.type || node.type === formTrigger.type) && typeof path === 'string' ? path : null
}

const isId = (value: unknown): value is string => typeof value === 'string' && /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value)

const keeps = ['none', 'refused', 'all'] as const
const responds = ['immediate', 'last_node', 'respond_node'] as const

/** The webhooks and forms of a definition. */
export const webhooksOf = (definition: Definition): readonly DeclaredWebhook[] =>
  definition.nodes.flatMap((node, index) => {
    const path = pathOf(node)
    if (path === null || !isTrigger(node)) return []
    if (node.type === formTrigger.type) return [declaredForm(index, node.id, path, node.config as unknown as FormConfig)]
    const config = node.config as unknown as WebhookConfig
    const respond = responds.find((mode) => mode === config.respond) ?? 'immediate'
    const methods = methodsOf(config)
    const status = typeof config.status === 'number' ? config.status : null
    const auth = isJsonObject(config.auth) && config.auth.type !== 'none' ? config.auth : null
    const dedupe = isJsonObject(config.dedupe) ? { ...defaultDedupe(auth), ...config.dedupe } : null
    const secret_id = isId(auth?.secret_id) ? auth.secret_id : null
    return (Array.isArray(methods) ? methods : []).map((method) => ({
      index,
      node_id: node.id,
      method: String(method),
      path,
      respond,
      status,
      auth,
      secret_id,
      dedupe,
      form: null,
      keep_requests: keeps.find((mode) => mode === config.keep_requests) ?? 'none',
    }))
  })

const declaredForm = (index: number, node_id: string, path: string, form: FormConfig): DeclaredWebhook => {
  const respond = form.respond === 'last_node' ? 'last_node' : 'immediate'
  return {
    index,
    node_id,
    method: form_method,
    path,
    respond,
    status: null,
    auth: null,
    secret_id: null,
    dedupe: null,
    form,
    keep_requests: 'none',
  }
}

const most_triggers = 200
const longest_path = 200

/** The triggers of a definition as they are stored beside it. Of a draft that has too many, the first. */
export const triggersOf = (definition: Definition): readonly StoredTrigger[] =>
  definition.nodes
    .filter(isTrigger)
    .slice(0, most_triggers)
    .map((node) => {
      const path = pathOf(node)
      return path === null || path.length > longest_path
        ? { node_id: node.id, type: node.type }
        : { node_id: node.id, type: node.type, path }
    })

/**
 * Says so when a definition has more triggers than one may have, or listens at more addresses, one per path and method: each is in every
 * list of workflows and in the memory of every process. Nothing else is looked at then.
 */
export const tooManyTriggers = (definition: Definition, webhooks: readonly DeclaredWebhook[]): Problem | null => {
  const count = Math.max(webhooks.length, definition.nodes.filter(isTrigger).length)
  if (count <= most_triggers) return null
  const message = `The workflow has ${count} triggers, each path and method of a webhook counted; ${most_triggers} are allowed`
  return { path: '/nodes', severity: 'error', message }
}

const problemAt = (webhook: DeclaredWebhook, message: string, field = 'path'): Problem => ({
  node_id: webhook.node_id,
  path: `/nodes/${webhook.index}/config/${field}`,
  severity: 'error',
  message,
})

/** What is missing to tell one delivery from another. */
export const dedupeProblems = (webhooks: readonly DeclaredWebhook[]): readonly Problem[] =>
  [...new Map(webhooks.map((webhook) => [webhook.index, webhook])).values()].flatMap((webhook) => {
    const { dedupe } = webhook
    if (dedupe === null) return []
    const problem = deliveryMistake(dedupe)
    return problem === null ? [] : [problemAt(webhook, problem, 'dedupe')]
  })

/** What is missing for a webhook to know its callers. `secrets`: those of its workspace. A webhook of several methods is looked at once. */
export const authProblems = (webhooks: readonly DeclaredWebhook[], secrets: ReadonlySet<string>): readonly Problem[] =>
  [...new Map(webhooks.map((webhook) => [webhook.index, webhook])).values()].flatMap((webhook) => {
    const { auth, secret_id } = webhook
    if (auth === null) return []
    const mistakes = authMistakes(auth).map(({ field, message }) => problemAt(webhook, message, `auth/${field}`))
    if (secret_id === null || secrets.has(secret_id)) return mistakes
    return [...mistakes, problemAt(webhook, 'The workspace has no such secret', 'auth/secret_id')]
  })

/** Mistakes that show only beside other webhooks: of the same definition, and those that other workflows hold (`taken`). */
export const webhookProblems = (
  webhooks: readonly DeclaredWebhook[],
  taken: readonly { readonly method: string; readonly path: string }[],
): readonly Problem[] => {
  const addressOf = ({ method, path }: { readonly method: string; readonly path: string }): string =>
    method === form_method ? `The form /${path}` : `${method} /${path}`
  const others = new Set(taken.map(addressOf))
  const own = new Map<string, DeclaredWebhook>()
  return webhooks.flatMap((webhook) => {
    const address = addressOf(webhook)
    const first = own.get(address)
    own.set(address, first ?? webhook)
    if (first !== undefined) return [problemAt(webhook, `${address} is listened to by the node "${first.node_id}" already`)]
    if (others.has(address)) return [problemAt(webhook, `${address} is taken by another workflow of the workspace`)]
    return []
  })
}
