import { NodeFailure } from '../../engine/node.ts'
import type { Ctx } from '../../platform/context.ts'
import { Problem } from '../../platform/errors.ts'
import type { Credential } from '../../platform/outbound/credential.ts'
import type { OutboundRequest, OutboundResponse } from '../../platform/outbound/outbound.ts'
import { errors } from './errors.ts'
import { isWithin } from './hosts.ts'
import { openForUse } from './opened.ts'
import { withToken } from './oauth/tokens.ts'
import { formsOf, scrubbed } from './scrub.ts'
import type { Addition } from './type.ts'

/** The credential of an integration, for the steps of its workspace. What goes wrong is a `NodeFailure`, with the code of the error. */
export const credentialOf = async (ctx: Ctx, id: string): Promise<Credential> => {
  try {
    const { row, type, credentials } = await withToken(ctx, await openForUse(ctx, id))
    if (type.sign === undefined) throw errors.not_usable({ detail: `An integration of the type ${type.type} signs no requests.` })
    const addition = type.sign(row.config, credentials)
    const origins = type.hosts(row.config)
    const forms = formsOf(credentials, addition)
    return {
      apply: (request) => {
        const url = URL.parse(request.url)
        if (url === null || !isWithin(origins, url)) throw asFailure(refusal(row.name, url))
        return added(request, addition)
      },
      scrub: (answer: OutboundResponse) => scrubbed(answer, forms),
    }
  } catch (error) {
    throw asFailure(error)
  }
}

const refusal = (name: string, url: URL | null): Problem =>
  errors.host_refused({
    detail: url === null ? 'The URL cannot be parsed.' : `The credential of ${JSON.stringify(name)} is not sent to ${url.origin}.`,
  })

export const asFailure = (error: unknown): unknown =>
  error instanceof Problem
    ? new NodeFailure({ code: error.code, message: error.message, retryable: error.declaration.status >= 500 })
    : error

const added = (request: OutboundRequest, { headers = {}, query = {} }: Addition): OutboundRequest => {
  const own = Object.entries(request.headers ?? {}).filter(([name]) => !Object.hasOwn(headers, name.toLowerCase()))
  return { ...request, url: withQuery(request.url, query), headers: { ...Object.fromEntries(own), ...headers } }
}

/** Behind the query of the URL, which stays as it was written: a signature may lie over it. */
const withQuery = (text: string, query: { readonly [name: string]: string }): string => {
  const more = new URLSearchParams(query).toString()
  if (more === '') return text
  const [rest = ''] = text.split('#', 1)
  return `${rest}${rest.includes('?') ? '&' : '?'}${more}`
}
