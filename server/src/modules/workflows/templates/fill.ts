import type { Json, JsonObject } from '../../../lib/json.ts'
import { isJsonObject } from '../../../lib/json.ts'

const marker = '$parameter'

/** What stands in a template where a value is filled in. */
export const parameter = (name: string): JsonObject => ({ [marker]: name })

/** The parameter that a value stands for; null when it is a value of its own. */
export const parameterOf = (value: Json): string | null => {
  if (!isJsonObject(value) || !Object.hasOwn(value, marker)) return null
  const name = value[marker]
  return typeof name === 'string' && Object.keys(value).length === 1 ? name : null
}

/** The names of the parameters that a part of a template names. */
export const parametersIn = (value: Json): readonly string[] => {
  const name = parameterOf(value)
  if (name !== null) return [name]
  if (Array.isArray(value)) return (value as readonly Json[]).flatMap(parametersIn)
  return isJsonObject(value) ? Object.values(value).flatMap(parametersIn) : []
}

/** With the values in the places of their parameters. What is filled with null is left out of its object or list; null where that is the whole. */
export const fill = (value: Json, values: ReadonlyMap<string, Json>): Json => {
  const name = parameterOf(value)
  if (name !== null) return values.get(name) ?? null
  const isLeftOut = (part: Json): boolean => {
    const named = parameterOf(part)
    return named !== null && (values.get(named) ?? null) === null
  }
  if (Array.isArray(value)) return (value as readonly Json[]).filter((part) => !isLeftOut(part)).map((part) => fill(part, values))
  if (!isJsonObject(value)) return value
  const kept = Object.entries(value).filter(([, part]) => !isLeftOut(part))
  return Object.fromEntries(kept.map(([key, part]) => [key, fill(part, values)]))
}
