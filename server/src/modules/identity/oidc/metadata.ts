import type { Fetch } from './guarded-fetch.ts'

const maxAgeMs = 3_600_000

interface Kept {
  readonly text: string
  readonly read_at: number
}

/**
 * Keeps what providers say of themselves (their discovery document) for an hour, and an older one for as long as no newer one is to
 * be had; however many ask, one request is under way. Everything else passes: keys are read at each sign-in, so none is missed that
 * a provider rotated to a moment ago.
 */
export const keepingMetadata = (fetch: Fetch, now: () => number): Fetch => {
  const kept = new Map<string, Kept>()
  const loading = new Map<string, Promise<Response>>()

  const load = async (url: string, options: Parameters<Fetch>[1]): Promise<Response> => {
    const older = kept.get(url)
    try {
      const response = await fetch(url, options)
      const text = await response.text()
      if (response.status === 200 && isMetadata(text, url)) kept.set(url, { text, read_at: now() })
      else if (older !== undefined) return replyOf(older)
      return new Response(text, { status: response.status, headers: response.headers })
    } catch (error) {
      if (older === undefined) throw error
      return replyOf(older)
    }
  }
  return async (url, options) => {
    if (!url.endsWith('/.well-known/openid-configuration')) return fetch(url, options)
    const known = kept.get(url)
    if (known !== undefined && now() - known.read_at < maxAgeMs) return replyOf(known)
    const under_way = loading.get(url) ?? load(url, { ...options, signal: undefined }).finally(() => loading.delete(url))
    loading.set(url, under_way)
    return (await under_way).clone()
  }
}

const replyOf = ({ text }: Kept): Response => new Response(text, { status: 200, headers: { 'content-type': 'application/json' } })

/** Not the page of a proxy that stands before a provider while that is down. */
const isMetadata = (text: string, url: string): boolean => {
  try {
    const { issuer, authorization_endpoint, token_endpoint } = JSON.parse(text) as { readonly [field: string]: unknown }
    const complete = typeof authorization_endpoint === 'string' && typeof token_endpoint === 'string'
    return complete && typeof issuer === 'string' && new URL(issuer).origin === new URL(url).origin
  } catch {
    return false
  }
}
