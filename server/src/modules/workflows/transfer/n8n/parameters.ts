import { isJsonObject, type Json, type JsonObject } from '../../../../lib/json.ts'

/** A parameter by its path, as `options.response.response.neverError`. */
export const at = (holder: JsonObject, path: string): Json | undefined => {
  let value: Json | undefined = holder
  for (const key of path.split('.')) {
    if (Array.isArray(value)) value = (value as readonly Json[])[Number(key)]
    else if (isJsonObject(value) && Object.hasOwn(value, key)) value = value[key]
    else return undefined
  }
  return value
}

export const textAt = (holder: JsonObject, path: string): string | null => {
  const value = at(holder, path)
  return typeof value === 'string' ? value : null
}

export const numberAt = (holder: JsonObject, path: string): number | null => {
  const value = at(holder, path)
  return typeof value === 'number' ? value : null
}

export const listAt = (holder: JsonObject, path: string): readonly JsonObject[] => {
  const value = at(holder, path)
  return Array.isArray(value) ? (value as readonly Json[]).filter(isJsonObject) : []
}

export const isExpression = (value: Json | undefined): value is `=${string}` => typeof value === 'string' && value.startsWith('=')

/** What a list to choose from holds (`__rl`), or the value as it is. */
export const chosen = (value: Json | undefined): Json | undefined =>
  isJsonObject(value) && value['__rl'] === true ? value['value'] : value

/** A parameter that ought to be text; `otherwise` where it is neither that nor a number or a truth value. */
export const plain = (value: Json | undefined, otherwise = ''): string =>
  typeof value === 'string' ? value : typeof value === 'number' || typeof value === 'boolean' ? String(value) : otherwise
