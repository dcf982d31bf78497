import { Type } from 'typebox'
import type { Json } from '../../lib/json.ts'
import { NodeFailure, pure } from '../node.ts'

/** They belong to the connection or frame the body; an answer that sets them itself would contradict the server. */
const reserved = new Set([
  'connection',
  'content-length',
  'date',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'x-millrace-execution-id',
])

const headersOf = (headers: { readonly [name: string]: unknown }): { readonly [name: string]: string } => {
  const wrong = (message: string): NodeFailure => new NodeFailure({ code: 'http.bad_header', message, details: { field: '/headers' } })
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => {
      if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$/.test(name))
        throw wrong(`${JSON.stringify(name.slice(0, 100))} is not the name of a header`)
      if (reserved.has(name.toLowerCase())) throw wrong(`The header "${name}" is set by the server`)
      if (value === null) return []
      const text = typeof value === 'string' ? value : typeof value === 'number' || typeof value === 'boolean' ? String(value) : null
      // Printable ASCII and tabs: anything else could end the header and begin another.
      if (text === null || !/^[\t\x20-\x7e]{0,8192}$/.test(text))
        throw wrong(`The value of the header "${name}" is not text that a header can hold`)
      return [[name.toLowerCase(), text]]
    }),
  )
}

export const respondNode = pure({
  type: 'http.respond',
  title: 'Respond',
  description: 'Answers the caller of a webhook that was set to `respond_node`. The first answer counts; the workflow goes on.',
  icon: 'arrow-back-up',
  config: Type.Object(
    {
      status: Type.Optional(Type.Integer({ minimum: 200, maximum: 599, default: 200 })),
      headers: Type.Optional(
        Type.Record(Type.String(), Type.Unknown(), { description: 'Text, numbers and true or false by name; null leaves one out.' }),
      ),
      body: Type.Optional(
        Type.Unsafe<Json>(
          Type.Unknown({ description: 'Sent as JSON, unless it is text and a content type is given. The input when it is left out.' }),
        ),
      ),
    },
    { additionalProperties: false },
  ),
  output: Type.Object({ status: Type.Integer(), headers: Type.Optional(Type.Record(Type.String(), Type.String())), body: Type.Unknown() }),
  example: {
    config: { status: 201, body: { id: '{{ trigger.body.id }}' } },
    trigger: { body: { id: 7 } },
    output: { status: 201, body: { id: 7 } },
  },
  run: ({ config, input }) => {
    const status = config.status ?? 200
    const body = config.body === undefined ? input : config.body
    const headers = headersOf(config.headers ?? {})
    // Kept where there are any: whoever asks again is answered the same.
    const kept = Object.keys(headers).length === 0 ? {} : { headers }
    return { output: { status, ...kept, body }, reply: { status, headers, body } }
  },
})
