import type { App } from '../../platform/context.ts'
import { Problem } from '../../platform/errors.ts'
import { outbound, type OutboundRequest, type OutboundResponse } from '../../platform/outbound/outbound.ts'
import { settings } from './settings.ts'
import type { TestIo, Verdict } from './type.ts'

const max_bytes = 1_048_576

export const timeoutOf = (app: App): number => app.settings(settings).integration_timeout_ms

export const fine: Verdict = { status: 'ok', error: null }
export const failing = (error: string): Verdict => ({ status: 'failing', error: error.slice(0, 500) })

const meaning = (status: number): string => {
  if (status === 401 || status === 403) return 'the credentials are not accepted'
  if (status === 404) return 'there is nothing at this address'
  if (status === 429) return 'too many requests; try again later'
  if (status >= 500) return 'the service has trouble of its own'
  if (status >= 300 && status < 400) return 'it sends elsewhere; use the address that it names'
  return 'the request is not accepted'
}

/** What an answer says by its status alone. Its body is not repeated: it may hold the credential. */
export const verdictOf = ({ status }: OutboundResponse): Verdict =>
  status >= 200 && status < 300 ? fine : failing(`The service answered ${status}: ${meaning(status)}.`)

/** What a failure to get an answer says. Anything but a `Problem` is thrown on. */
export const verdictOfFailure = (error: unknown): Verdict => {
  if (!(error instanceof Problem)) throw error
  const { title } = error.declaration
  return failing(error.details.detail === undefined ? title : `${title} ${error.details.detail}`)
}

/** Makes one call and judges it. Redirects are not followed: a credential belongs to one address. */
export const call = async (
  { app, signal }: TestIo,
  request: Pick<OutboundRequest, 'url' | 'headers' | 'body'> & { readonly method?: string },
  judge: (answer: OutboundResponse) => Verdict = verdictOf,
): Promise<Verdict> => {
  try {
    const limits = { timeout_ms: timeoutOf(app), max_bytes, max_redirects: 0, signal }
    return judge(await app.use(outbound).request({ method: 'GET', ...request, ...limits }))
  } catch (error) {
    return verdictOfFailure(error)
  }
}
