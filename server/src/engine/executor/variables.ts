import type { Json, JsonObject } from '../../lib/json.ts'
import type { App } from '../../platform/context.ts'
import type { NamedVariables } from '../named-variables.ts'

const taken = (all: JsonObject, names: ReadonlySet<string> | 'all'): JsonObject =>
  names === 'all' ? all : Object.fromEntries([...names].filter((name) => Object.hasOwn(all, name)).map((name) => [name, all[name] as Json]))

/** What a version takes of the variables of a workspace, as they are now: at once when this process knows them; null for one that takes none. */
export const variablesFor = (
  app: App,
  workspace_id: string,
  { variables: names }: { readonly variables: NamedVariables },
): JsonObject | Promise<JsonObject> | null => {
  if (names === null) return null
  const find = app.modules.find(({ variables }) => variables !== undefined)?.variables
  if (find === undefined) return {}
  const all = find(app, workspace_id)
  return all instanceof Promise ? all.then((found) => taken(found, names)) : taken(all, names)
}
