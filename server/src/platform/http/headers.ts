/** Headers of a reply, names in lower case. A list is sent as several lines. */
export type Headers = { readonly [name: string]: string | readonly string[] }

/** What every reply carries. */
export const securityHeaders = (secure: boolean): { readonly [name: string]: string } => ({
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  ...(secure ? { 'strict-transport-security': 'max-age=31536000; includeSubDomains' } : {}),
})
