import type { Json } from '../lib/json.ts'
import type { DefinitionNode } from './graph/definition.ts'

/** What a definition takes of the variables of its workspace: nothing, some by name, or whatever there is. */
export type NamedVariables = ReadonlySet<string> | 'all' | null

const mention = /\bvars\b(?:\s*\.\s*\??\s*([A-Za-z_]\w*)|\s*\[\s*\??\s*(?:"([A-Za-z_]\w*)"|'([A-Za-z_]\w*)')\s*\])?/g

const collect = (value: Json | undefined, names: Set<string>): boolean => {
  if (typeof value === 'string') {
    if (!value.includes('vars')) return true
    for (const [, dotted, quoted, single] of value.matchAll(mention)) {
      const name = dotted ?? quoted ?? single
      if (name === undefined) return false
      names.add(name)
    }
    return true
  }
  if (typeof value !== 'object' || value === null) return true
  return Object.values(value).every((part: Json) => collect(part, names))
}

/**
 * Read off the texts of the nodes, expressions and programs alike: a name that is worked out while it runs asks for all, and so does a text that only
 * looks like one. Too much is kept then, never too little.
 */
export const namedVariables = (nodes: readonly DefinitionNode[]): NamedVariables => {
  const names = new Set<string>()
  if (!nodes.every(({ config, retry }) => collect(config, names) && collect(retry as Json | undefined, names))) return 'all'
  return names.size === 0 ? null : names
}
