import type { Definition } from '../../../engine/graph/definition.ts'
import { isUuid } from '../../../lib/id.ts'
import { isJsonObject, type Json, type JsonObject } from '../../../lib/json.ts'
import type { Missing } from './schema.ts'

const places: readonly { readonly kind: Missing['kind']; readonly type?: string; readonly at: readonly string[] }[] = [
  { kind: 'integration', at: ['integration_id'] },
  { kind: 'secret', type: 'trigger.webhook', at: ['auth', 'secret_id'] },
  { kind: 'workflow', type: 'flow.call', at: ['workflow_id'] },
  { kind: 'workflow', type: 'trigger.failure', at: ['workflow_ids'] },
]

const valueAt = (config: JsonObject, [key = '', ...rest]: readonly string[]): Json | undefined => {
  const value = Object.hasOwn(config, key) ? config[key] : undefined
  return rest.length === 0 ? value : isJsonObject(value) ? valueAt(value, rest) : undefined
}

const inNode = (node: JsonObject, path: string): readonly Missing[] => {
  const { id, type, config } = node
  if (!isJsonObject(config)) return []
  const node_id = typeof id === 'string' ? id : null
  const own = places.flatMap(({ kind, type: wanted, at }): readonly Missing[] => {
    if (wanted !== undefined && wanted !== type) return []
    const value = valueAt(config, at)
    const pointer = `${path}/config/${at.join('/')}`
    if (Array.isArray(value))
      return (value as readonly Json[]).flatMap((each, index) =>
        isUuid(each) ? [{ kind, id: each, node_id, path: `${pointer}/${index}` }] : [],
      )
    return isUuid(value) ? [{ kind, id: value, node_id, path: pointer }] : []
  })
  const { body } = config
  return isJsonObject(body) && Array.isArray(body['nodes']) ? [...own, ...inNodes(body['nodes'], `${path}/config/body/nodes`)] : own
}

const inNodes = (nodes: readonly Json[], path: string): readonly Missing[] =>
  nodes.flatMap((node, index) => (isJsonObject(node) ? inNode(node, `${path}/${index}`) : []))

/** Whatever else of the workspace a definition names by id, in bodies of loops too. */
export const mentionsOf = ({ nodes, settings }: Definition): readonly Missing[] => {
  const handler = settings?.error_workflow_id
  const of_settings = isUuid(handler)
    ? [{ kind: 'workflow' as const, id: handler, node_id: null, path: '/settings/error_workflow_id' }]
    : []
  return [...inNodes(nodes, '/nodes'), ...of_settings]
}
