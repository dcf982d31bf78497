import type { Endpoint } from './endpoint.ts'
import type { Exchange } from './exchange.ts'
import { checkText, parseJson, requireJson } from './json-body.ts'
import type { RouteInput } from './route.ts'
import { parseQuery } from './text-input.ts'
import { invalid } from './validate.ts'

/** What a handler gets of a request: read, converted where it came as text, and validated. */
export const inputOf = (endpoint: Endpoint, exchange: Exchange): RouteInput<never, never, never> => ({
  params: readParams(endpoint, exchange) as never,
  query: readQuery(endpoint, exchange) as never,
  body: readJson(endpoint, exchange) as never,
  request: exchange,
})

const readParams = (endpoint: Endpoint, exchange: Exchange): unknown => {
  if (endpoint.params === null) return undefined
  const params: { [name: string]: unknown } = { ...exchange.params }
  for (const name of Object.keys(params)) checkText(params[name] as string, name)
  endpoint.params.coerce(params)
  endpoint.params.validate(params)
  return params
}

const readQuery = (endpoint: Endpoint, exchange: Exchange): unknown => {
  const { query } = exchange
  if (endpoint.query === null) {
    if (query === '' || endpoint.route.root === true) return undefined
    const names = Object.keys(parseQuery(query))
    if (names.length > 0) throw invalid(names.map((name) => ({ path: name, message: 'is not a known field' })))
    return undefined
  }
  const values: { [name: string]: unknown } = parseQuery(query)
  endpoint.query.coerce(values)
  endpoint.query.validate(values)
  return values
}

const readJson = (endpoint: Endpoint, exchange: Exchange): unknown => {
  const { body } = exchange
  if (body.length > 0) requireJson(exchange.incoming.headers['content-type'], exchange.incoming.headers['content-encoding'])
  if (endpoint.body === null) {
    // Some clients send `{}` or `null` with every POST.
    if (body.length > 0) requireNothing(parseJson(body))
    return undefined
  }
  // No body is an empty object: what is missing is then named field by field, and a body of optional fields may be left out.
  const value = body.length === 0 ? {} : parseJson(body)
  endpoint.body(value)
  return value
}

const requireNothing = (value: unknown): void => {
  if (value === null) return
  if (typeof value !== 'object' || Array.isArray(value)) throw invalid([{ path: '', message: 'takes no body' }])
  const names = Object.keys(value)
  if (names.length > 0) throw invalid(names.map((name) => ({ path: name, message: 'is not a known field' })))
}
