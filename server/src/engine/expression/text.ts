import { checkedText, Duration, Instant, Optional, toJson, type Budget, type Value } from './value.ts'

/** A value within text: null and nothing are empty, lists and objects are JSON, times ISO 8601. */
export const textOfValue = (value: Value, budget: Budget): string => {
  if (typeof value === 'string') return value
  if (value === null) return ''
  if (typeof value !== 'object') return String(value)
  if (value instanceof Optional) return value.value === undefined ? '' : textOfValue(value.value, budget)
  const json = toJson(value, budget)
  return value instanceof Instant || value instanceof Duration ? (json as string) : checkedText(JSON.stringify(json))
}
