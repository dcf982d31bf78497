import { createHash } from 'node:crypto'
import { type Expression, expressionCompiler, newBudget } from '../../../engine/expression/expression.ts'
import type { Scope } from '../../../engine/expression/scope.ts'
import { Fault } from '../../../engine/expression/value.ts'
import type { WebhookAuth, WebhookDedupe } from '../../../engine/nodes/trigger-webhook.ts'
import type { Json } from '../../../lib/json.ts'
import type { RawRequest } from '../../../platform/http/route.ts'

/** How a webhook knows a delivery that comes again. */
export interface Deliveries {
  /** Milliseconds. */
  readonly window: number
  /** Null for a call that names no delivery: it stands for itself. */
  readonly idOf: (request: Pick<RawRequest, 'headers'>, payload: Json) => string | null
}

/** Where the senders that are known by their signature put the id. */
export const defaultDedupe = (auth: WebhookAuth | null): WebhookDedupe => {
  switch (auth?.type) {
    case 'github':
      return { header: 'x-github-delivery' }
    case 'stripe':
      return { expression: 'trigger.body.id' }
    case 'standard_webhooks':
      return { header: 'webhook-id' }
    default:
      return {}
  }
}

const compile = (text: string) => expressionCompiler(new Set(['trigger'])).expression(text)

/** Why deliveries cannot be told apart; null when they can. */
export const deliveryMistake = ({ header, expression }: WebhookDedupe): string | null => {
  if (header === undefined && expression === undefined) return 'It must say where the id of a delivery stands: "header" or "expression"'
  if (typeof expression !== 'string') return null
  const compiled = compile(expression)
  return compiled.ok ? null : `"expression" may name "trigger" alone: ${compiled.error.message}`
}

const nothing = { execution: null, workspace: null, vars: null, output: () => undefined, outputs: () => ({}) }

const evaluated = (expression: Expression, payload: Json): string | null => {
  const scope: Scope = { ...nothing, trigger: payload }
  try {
    const id = expression.run(scope, newBudget())
    return typeof id === 'string' || typeof id === 'number' ? String(id) : null
  } catch (error) {
    // A call without the id is nobody's repetition.
    if (error instanceof Fault) return null
    throw error
  }
}

/** Made once for a published webhook. */
export const deliveriesOf = ({ header, expression, window_s = 86_400 }: WebhookDedupe): Deliveries => {
  const compiled = expression === undefined ? null : compile(expression)
  const name = header?.toLowerCase()
  const idOf: Deliveries['idOf'] = (request, payload) => {
    const given = name === undefined ? undefined : request.headers[name]
    const id = typeof given === 'string' ? given : compiled?.ok === true ? evaluated(compiled.expression, payload) : null
    return id === '' ? null : id
  }
  return { window: window_s * 1_000, idOf }
}

/** A key of the engine for something of any length. */
export const keyFor = (kind: string, ...parts: readonly (string | Buffer)[]): string => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(`${Buffer.byteLength(part)}:`).update(part)
  return `${kind}:${hash.digest('base64url')}`
}
