import * as oidc from 'openid-client'
import type { App } from '../../../platform/context.ts'
import { personOf } from './claims.ts'
import type { Fetch } from './guarded-fetch.ts'
import { failed, NotProven } from './failure.ts'
import type { Asserted, Provider } from './provider.ts'
import { isLoopback, type ProviderConfig } from './provider-config.ts'

/**
 * GitHub, or an Enterprise Server at `issuer`: OAuth 2.0 with PKCE, then its API says who it is (`GET /user`, `GET /user/emails`). The
 * identity is the number of the account, because logins change hands; the address is the primary one, verified when GitHub says so.
 */
export const gitHubProvider = (app: App, config: ProviderConfig, fetch: Fetch): Provider => {
  const issuer = new URL(config.issuer)
  const server = new oidc.Configuration(
    {
      issuer: config.issuer,
      authorization_endpoint: `${config.issuer}/login/oauth/authorize`,
      token_endpoint: `${config.issuer}/login/oauth/access_token`,
    },
    config.client_id,
    undefined,
    oidc.ClientSecretPost(config.client_secret ?? undefined),
  )
  server[oidc.customFetch] = fetch
  server.timeout = 15
  if (isLoopback(issuer)) oidc.allowInsecureRequests(server)
  const api = issuer.hostname === 'github.com' ? 'https://api.github.com' : `${config.issuer}/api/v3`
  return {
    name: config.name,
    label: config.label,
    authorizationUrl: async ({ state, verifier }, redirect_uri) =>
      oidc.buildAuthorizationUrl(server, {
        redirect_uri,
        scope: config.scopes.join(' '),
        state,
        code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
      }),
    identify: async ({ state, verifier }, redirect_uri, parameters) => {
      try {
        const given = new URLSearchParams(parameters)
        // It has no metadata to compare `iss` with; that each provider has a redirect address of its own keeps them apart (RFC 9700, section 4.4.2).
        given.delete('iss')
        const tokens = await oidc.authorizationCodeGrant(server, new URL(`${redirect_uri}?${given.toString()}`), {
          expectedState: state,
          pkceCodeVerifier: verifier,
        })
        return await person(config.issuer, ask(fetch, api, tokens.access_token))
      } catch (error) {
        throw failed(app, config.name, error)
      }
    },
  }
}

type Ask = (path: string) => Promise<unknown>

const ask =
  (fetch: Fetch, api: string, access_token: string): Ask =>
  async (path) => {
    const headers = { accept: 'application/vnd.github+json', authorization: `Bearer ${access_token}`, 'x-github-api-version': '2022-11-28' }
    const response = await fetch(api + path, { method: 'GET', headers })
    if (response.status !== 200) throw new NotProven(`${path} answered ${response.status}`, { cause: response })
    try {
      return await response.json()
    } catch {
      throw new NotProven(`${path} did not answer with JSON`)
    }
  }

const person = async (issuer: string, get: Ask): Promise<Asserted> => {
  const [user, emails] = await Promise.all([get('/user'), get('/user/emails?per_page=100')])
  const { id, login, name } = (user ?? {}) as { readonly id?: unknown; readonly login?: unknown; readonly name?: unknown }
  if (!Number.isSafeInteger(id) || (id as number) <= 0) throw new NotProven('the account has no number')
  const list = (Array.isArray(emails) ? emails : []) as readonly ({
    readonly email?: unknown
    readonly primary?: unknown
    readonly verified?: unknown
  } | null)[]
  const primary = list.find((entry) => entry?.primary === true)
  return { issuer, subject: String(id), ...personOf({ email: primary?.email, verified: primary?.verified, name: name ?? login }) }
}
