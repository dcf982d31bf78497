import { isJsonObject } from '../lib/json.ts'
import type { Report } from './graph/problem.ts'
import { compileKey } from './lines/place.ts'

/** The keys of the limits: what the schema cannot say of them. */
export const checkLimits = (settings: unknown, report: Report): void => {
  if (!isJsonObject(settings)) return
  for (const name of ['concurrency', 'rate_limit'] as const) {
    const limit = settings[name]
    const key = isJsonObject(limit) ? limit['key'] : undefined
    if (typeof key !== 'string' || key.trim() === '') continue
    const compiled = compileKey(key)
    if (compiled.ok) continue
    const { message, position } = compiled.error
    const where = `(line ${position.line}, column ${position.column})`
    report({ path: `/settings/${name}/key`, severity: 'error', message: `${message} ${where}` })
  }
}
