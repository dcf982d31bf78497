import type { Cookie } from './route.ts'

/** RFC 6265, section 4.2: the first of two cookies with one name counts, because the more specific path is sent first. */
export const readCookies = (header: string | undefined): { readonly [name: string]: string } => {
  const cookies: { [name: string]: string } = Object.create(null)
  if (header === undefined) return cookies
  for (const pair of header.split(';')) {
    const equals = pair.indexOf('=')
    if (equals < 0) continue
    const name = pair.slice(0, equals).trim()
    cookies[name] ??= decode(pair.slice(equals + 1).trim())
  }
  return cookies
}

const decode = (value: string): string => {
  const bare = value.length > 1 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value
  try {
    return decodeURIComponent(bare)
  } catch {
    // Not ours: we encode what we set.
    return bare
  }
}

export const writeCookie = (cookie: Cookie, secure: boolean): string => {
  const parts = [`${cookie.name}=${encodeURIComponent(cookie.value ?? '')}`, `Path=${cookie.path}`]
  if (cookie.value === null) parts.push('Max-Age=0')
  else if (cookie.max_age_s !== undefined) parts.push(`Max-Age=${cookie.max_age_s}`)
  parts.push('HttpOnly', cookie.same_site === 'lax' ? 'SameSite=Lax' : 'SameSite=Strict')
  if (secure) parts.push('Secure')
  return parts.join('; ')
}
