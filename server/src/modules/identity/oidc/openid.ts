import * as oidc from 'openid-client'
import { isUuid } from '../../../lib/id.ts'
import type { App } from '../../../platform/context.ts'
import { personOf, subjectOf } from './claims.ts'
import { failed, NotProven } from './failure.ts'
import type { Fetch } from './guarded-fetch.ts'
import type { Asserted, Provider } from './provider.ts'
import { isLoopback, type ProviderConfig } from './provider-config.ts'

/** Signatures that a public key checks. `none` and the HMACs, whose key both sides know, prove nothing here. */
const algorithms = new Set(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'])

/**
 * An OpenID provider, by the authorisation code flow with PKCE. Of what comes back these are checked: state and `iss` (RFC 9207), the ID
 * token's signature by the issuer's published keys, its issuer, audience, authorised party, times and nonce. For Microsoft's addresses
 * that stand for many tenants the issuer is that of the token's tenant.
 */
export const openIdProvider = (app: App, config: ProviderConfig, fetch: Fetch): Provider => {
  const configure = (): Promise<oidc.Configuration> =>
    discover(config, fetch).catch((error: unknown) => {
      throw failed(app, config.name, error, true)
    })
  return {
    name: config.name,
    label: config.label,
    authorizationUrl: async ({ state, nonce, verifier }, redirect_uri) =>
      oidc.buildAuthorizationUrl(await configure(), {
        redirect_uri,
        scope: config.scopes.join(' '),
        state,
        nonce,
        code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
      }),
    identify: async ({ state, nonce, verifier }, redirect_uri, parameters) => {
      const server = await configure()
      try {
        const callback = new URL(`${redirect_uri}?${parameters.toString()}`)
        const tokens = await oidc.authorizationCodeGrant(server, callback, {
          expectedState: state,
          expectedNonce: nonce,
          pkceCodeVerifier: verifier,
          idTokenExpected: true,
        })
        return await personOfTokens(server, tokens)
      } catch (error) {
        throw failed(app, config.name, error)
      }
    },
  }
}

const discover = (config: ProviderConfig, fetch: Fetch): Promise<oidc.Configuration> => {
  const issuer = new URL(config.issuer)
  return oidc.discovery(issuer, config.client_id, config.client_secret ?? undefined, authentication(config), {
    [oidc.customFetch]: fetch,
    timeout: 15,
    execute: [oidc.enableNonRepudiationChecks, ...(isLoopback(issuer) ? [oidc.allowInsecureRequests] : [])],
  })
}

/** RFC 6749, section 2.3.1: Basic is what every server must take, but not all that take both decode it alike, so the body comes first. */
const authentication =
  ({ client_secret }: ProviderConfig): oidc.ClientAuth =>
  (server, client, body, headers) => {
    if (client_secret === null) return oidc.None()(server, client, body, headers)
    const basic_only = server.token_endpoint_auth_methods_supported?.includes('client_secret_post') !== true
    return (basic_only ? oidc.ClientSecretBasic : oidc.ClientSecretPost)(client_secret)(server, client, body, headers)
  }

type Tokens = Awaited<ReturnType<typeof oidc.authorizationCodeGrant>>

const personOfTokens = async (server: oidc.Configuration, tokens: Tokens): Promise<Asserted> => {
  const claims = tokens.claims()
  const header = JSON.parse(Buffer.from(tokens.id_token?.split('.')[0] ?? '', 'base64url').toString()) as { alg?: unknown }
  if (claims === undefined || !algorithms.has(header.alg as string))
    throw new NotProven('the ID token is signed with an algorithm that is not allowed')
  const subject = subjectOf(claims.sub)
  if (subject === null) throw new NotProven('the subject is not 1 to 255 ASCII characters')
  if (!isOfTenant(server.serverMetadata().issuer, claims)) throw new NotProven('the ID token is of no tenant')
  if (claims.azp !== undefined && claims.azp !== server.clientMetadata().client_id)
    throw new NotProven('the ID token was made for another party')
  // Without an address in the ID token, which OpenID Connect Core (section 5.4) allows, it is asked for.
  const asked = claims['email'] === undefined && server.serverMetadata().userinfo_endpoint !== undefined
  const said = asked ? { ...claims, ...(await oidc.fetchUserInfo(server, tokens.access_token, claims.sub)) } : claims
  return { issuer: claims.iss, subject, ...personOf({ email: said['email'], verified: said['email_verified'], name: said['name'] }) }
}

/** Where an issuer stands for many tenants, a token names its own twice. */
const isOfTenant = (issuer: string, { iss, tid }: { readonly iss: string; readonly [claim: string]: unknown }): boolean =>
  !issuer.includes('{tenantid}') || (isUuid(tid) && iss === issuer.replace('{tenantid}', () => tid))
