import { createHmac, randomBytes } from 'node:crypto'
import type { App } from '../../../platform/context.ts'
import { createOutbound } from '../../../platform/outbound/outbound.ts'
import { settings as outboundSettings } from '../../../platform/outbound/settings.ts'
import { secrets } from '../../../platform/secrets.ts'
import { defineService } from '../../../platform/service.ts'
import { settings } from '../settings.ts'
import { gitHubProvider } from './github.ts'
import { guardedFetch } from './guarded-fetch.ts'
import { keepingMetadata } from './metadata.ts'
import { openIdProvider } from './openid.ts'
import type { FlowSecrets, Provider } from './provider.ts'
import { hostAndPort, parseProviders, type ProviderConfig } from './provider-config.ts'

export interface Oidc {
  /** In the order of the configuration. */
  readonly providers: ReadonlyMap<string, Provider>
  /**
   * What a sign-in needs besides its state. Derived, so that nothing of it is stored: who has the state, which is in addresses and
   * logs, but not the installation's key cannot compute the verifier (HMAC-SHA256 as a PRF).
   */
  readonly secretsOf: (state: string) => FlowSecrets
  readonly close: () => Promise<void>
}

export const oidcService = defineService<Oidc>({
  name: 'identity.oidc',
  create: async (app) => {
    const configs = parseProviders(app.settings(settings).oidc_providers)
    const key = Buffer.from(await app.use(secrets).getOrCreate('identity.oidc_key', () => randomBytes(32).toString('base64')), 'base64')
    const derived = (word: string, state: string): string => createHmac('sha256', key).update(`${word} ${state}`).digest('base64url')
    // The operator named these hosts, so they may be inside; what a provider then names itself has to be public or allowed.
    const allow = [...app.settings(outboundSettings).outbound_allow, ...configs.map(({ issuer }) => hostAndPort(issuer))]
    const outbound = createOutbound({ allow })
    const fetch = keepingMetadata(guardedFetch(outbound), app.now)
    return {
      providers: new Map(configs.map((config) => [config.name, providerOf(app, config, fetch)])),
      secretsOf: (state) => ({ state, nonce: derived('nonce', state), verifier: derived('verifier', state) }),
      close: outbound.close,
    }
  },
  stop: (instance) => instance.close(),
})

const providerOf = (app: App, config: ProviderConfig, fetch: ReturnType<typeof guardedFetch>): Provider =>
  config.protocol === 'github' ? gitHubProvider(app, config, fetch) : openIdProvider(app, config, fetch)
