import { createOutbound } from '../../../platform/outbound/outbound.ts'
import { settings as outboundSettings } from '../../../platform/outbound/settings.ts'
import { defineService } from '../../../platform/service.ts'
import { hostAndPort } from '../oidc/provider-config.ts'
import { settings } from '../settings.ts'
import { type Issuers, issuersOf } from './issuers.ts'
import { type KeySource, keySource } from './key-source.ts'
import { secretVerifier, type Verify } from './published-keys.ts'

export interface External {
  readonly issuers: Issuers
  readonly secret: Verify | null
  readonly keys: KeySource | null
  readonly close: () => Promise<void>
}

export const externalService = defineService<External>({
  name: 'identity.external',
  create: (app) => {
    const issuers = issuersOf(app.settings(settings))
    const { supabase, published } = issuers
    // The operator named this host, so it may be inside.
    const outbound =
      published === null
        ? null
        : createOutbound({ allow: [...app.settings(outboundSettings).outbound_allow, hostAndPort(published.jwks_url)] })
    return {
      issuers,
      secret: supabase === null ? null : secretVerifier(supabase.secret),
      keys: published === null || outbound === null ? null : keySource(app, published.jwks_url, outbound),
      close: async () => outbound?.close(),
    }
  },
  stop: ({ close }) => close(),
})
