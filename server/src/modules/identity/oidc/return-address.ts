import type { App } from '../../../platform/context.ts'
import { httpService } from '../../../platform/http/http-service.ts'
import { httpSettings } from '../../../platform/http/settings.ts'
import { errors } from './errors.ts'

/** What every parser of addresses reads alike: printable ASCII, no backslash, which browsers take for a slash. */
const plain = /^[\x21-\x5b\x5d-\x7e]{1,2000}$/

/**
 * Where a sign-in leads, as an absolute address: a path of the installation, or an address of an origin on the list. Null for
 * everything else, and for what could be read in two ways. A fragment is refused, because the result goes there.
 */
export const returnAddress = (text: string, own: string, origins: readonly string[]): string | null => {
  if (!plain.test(text) || text.includes('#')) return null
  const is_path = text.startsWith('/')
  if (is_path ? text.startsWith('//') : !/^https?:\/\/[^/]/i.test(text)) return null
  if (!URL.canParse(text, own)) return null
  const url = new URL(text, own)
  if (url.username !== '' || url.password !== '' || text.split(/[/?]/, 3)[2]?.includes('@') === true || url.pathname.startsWith('//'))
    return null
  const allowed = [own, ...origins].flatMap((origin) => (URL.canParse(origin) ? [new URL(origin).origin] : []))
  return url.origin !== 'null' && (is_path ? allowed.slice(0, 1) : allowed).includes(url.origin) ? url.href : null
}

/** The same by the configuration as it is now. 422 `auth.redirect_refused`. */
export const requireReturnAddress = (app: App, text: string): string => {
  const address = returnAddress(text, app.use(httpService).url(), app.settings(httpSettings).cors_origins)
  if (address === null)
    throw errors.redirect_refused({
      errors: [{ path: 'redirect_to', message: 'is not a path of this installation or an allowed address' }],
    })
  return address
}
