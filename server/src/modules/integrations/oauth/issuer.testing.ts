import { createHash, randomUUID } from 'node:crypto'
import { type Answer, type Asked, type Wire, wire } from '../wire.testing.ts'

export interface Issuer extends Wire {
  /** The person at the service agrees: answers where the browser is sent back to. */
  readonly agree: (authorization_url: string) => string
  /** Refresh tokens that are good: each is used up by its use. */
  readonly good: Set<string>
  /** Requests for tokens so far, by grant. */
  readonly granted: string[]
  /** Before it answers. */
  pause: () => Promise<void>
  /** Instead of an answer. */
  trouble: Answer | null
  expires_in: number
}

const basic = `Basic ${Buffer.from('mill:client+%2F+secret').toString('base64')}`
export const client_secret = 'client / secret'

/** An authorisation server with PKCE and refresh tokens that rotate; who shows a used one has lost the consent (RFC 9700, section 4.14.2). */
export const openIssuer = async (): Promise<Issuer> => {
  const codes = new Map<string, URLSearchParams>()
  const answer = async (asked: Asked): Promise<Answer> => {
    if (asked.path !== '/token') return { body: { saw: asked.headers.authorization } }
    const form = new URLSearchParams(asked.body)
    issuer.granted.push(form.get('grant_type') ?? '')
    await issuer.pause()
    if (issuer.trouble !== null) return issuer.trouble
    const known = asked.headers.authorization === basic || (form.get('client_id') === 'mill' && form.get('client_secret') === client_secret)
    if (!known) return { status: 401, body: { error: 'invalid_client' } }
    return grant(form)
  }
  const refuse: Answer = { status: 400, body: { error: 'invalid_grant', error_description: 'it holds a secret' } }
  const give = (refresh: boolean): Answer => {
    const refresh_token = `refresh-${randomUUID()}`
    if (refresh) issuer.good.add(refresh_token)
    const body = {
      access_token: `access-${randomUUID()}`,
      token_type: 'Bearer',
      expires_in: issuer.expires_in,
      ...(refresh && { refresh_token }),
    }
    return { body }
  }
  const grant = (form: URLSearchParams): Answer => {
    const type = form.get('grant_type')
    if (type === 'client_credentials') return give(false)
    if (type === 'refresh_token') {
      if (issuer.good.delete(form.get('refresh_token') ?? '')) return give(true)
      issuer.good.clear()
      return refuse
    }
    const asked = codes.get(form.get('code') ?? '')
    codes.delete(form.get('code') ?? '')
    const challenge = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url')
    if (asked?.get('code_challenge') !== challenge || asked.get('redirect_uri') !== form.get('redirect_uri')) return refuse
    return give(true)
  }
  const service = await wire(answer)
  const issuer: Issuer = {
    ...service,
    good: new Set(),
    granted: [],
    pause: async () => undefined,
    trouble: null,
    expires_in: 3600,
    agree: (authorization_url) => {
      const { searchParams } = new URL(authorization_url)
      const code = randomUUID()
      codes.set(code, searchParams)
      const back = new URL(searchParams.get('redirect_uri') ?? '')
      back.search = new URLSearchParams({ code, state: searchParams.get('state') ?? '' }).toString()
      return back.pathname + back.search
    },
  }
  return issuer
}
