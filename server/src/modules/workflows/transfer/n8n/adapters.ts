import { fields } from './adapters/fields.ts'
import { executeWorkflow, flow } from './adapters/flow.ts'
import { form } from './adapters/form.ts'
import { http, openAi } from './adapters/http.ts'
import { code, itemLists, lists } from './adapters/lists.ts'
import { merge } from './adapters/merge.ts'
import { others, unknown } from './adapters/others.ts'
import { foreignTrigger, triggers } from './adapters/triggers.ts'
import type { N8nNode } from './file.ts'
import type { Adapter } from './site.ts'

const known: { readonly [kind: string]: Adapter } = {
  ...triggers,
  ...fields,
  ...flow,
  ...http,
  ...lists,
  ...others,
  merge,
  formTrigger: form,
}

/** Those that do different things under one name; null: not this one. */
const by_parameters: { readonly [kind: string]: (parameters: N8nNode['parameters']) => Adapter | null } = {
  executeWorkflow,
  openAi,
  itemLists,
  code,
}

/** What makes our steps of a node; what is not known is kept as it was. */
export const adapterOf = ({ kind, type, parameters }: N8nNode): Adapter => {
  if (!type.startsWith('n8n-nodes-base.') && !(kind === 'openAi' && type.startsWith('@n8n/n8n-nodes-langchain.')))
    return isTrigger(kind) ? foreignTrigger : unknown
  if (Object.hasOwn(by_parameters, kind)) return by_parameters[kind]?.(parameters) ?? unknown
  if (Object.hasOwn(known, kind)) return known[kind] as Adapter
  return isTrigger(kind) ? foreignTrigger : unknown
}

const isTrigger = (kind: string): boolean => kind.endsWith('Trigger')
