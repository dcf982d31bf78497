import type { House } from './house.ts'
import type { Admit } from './permissions.ts'
import type { Limit } from './rate-limit.ts'
import type { OrdinaryRoute } from './route.ts'
import { type Shape, shapeOf } from './shape.ts'
import type { JsonSchema } from './strict.ts'
import { type TextInput, textInput } from './text-input.ts'
import { type Validate, validatorOf } from './validate.ts'

/** How a reply of one status is made. */
export interface ReplyForm {
  readonly shape: Shape
  readonly empty: boolean
  readonly check: Validate
}

/** What is worked out of a route once, when it is mounted. */
export interface Endpoint {
  readonly house: House
  readonly route: OrdinaryRoute
  /** Method and path as declared: names the route in metrics, limits and stored replies. */
  readonly name: string
  readonly admit: Admit
  readonly limit: Limit
  readonly params: TextInput | null
  readonly query: TextInput | null
  readonly body: Validate | null
  readonly replies: ReadonlyMap<number, ReplyForm>
  /** Of a plain answer: the lowest that is declared. */
  readonly first_status: number
  readonly body_limit: number
}

export const endpointOf = (house: House, route: OrdinaryRoute, admit: Admit, limit: Limit): Endpoint => {
  const statuses = Object.keys(route.replies).map(Number)
  const [first_status] = statuses
  if (first_status === undefined) throw new Error(`${route.method} ${route.path} declares no reply.`)
  const replies = statuses.map((status): [number, ReplyForm] => {
    const schema = route.replies[status] as JsonSchema
    const empty = status === 204 || status === 205 || status === 304
    return [status, { shape: shapeOf(schema), empty, check: validatorOf(schema) }]
  })
  return {
    house,
    route,
    name: `${route.method} ${route.path}`,
    admit,
    limit,
    params: textInput(route.params),
    query: textInput(route.query),
    body: route.body === undefined ? null : validatorOf(route.body as JsonSchema),
    replies: new Map(replies),
    first_status,
    body_limit: route.body_limit_bytes ?? house.settings.body_limit_bytes,
  }
}
