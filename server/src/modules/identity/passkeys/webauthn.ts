import { randomBytes } from 'node:crypto'
import { isIP } from 'node:net'
import type * as simplewebauthn from '@simplewebauthn/server'
import type { App } from '../../../platform/context.ts'
import { httpService } from '../../../platform/http/http-service.ts'
import { httpSettings } from '../../../platform/http/settings.ts'
import { secrets } from '../../../platform/secrets.ts'
import { defineService } from '../../../platform/service.ts'
import { errors } from './errors.ts'

interface Webauthn {
  /** Makes and checks challenges. */
  readonly key: Buffer
  /** Checks credentials. 27 MB and an eighth of a second, so it is loaded when the first one comes. */
  readonly library: () => Promise<typeof simplewebauthn>
}

export const webauthn = defineService<Webauthn>({
  name: 'identity.webauthn',
  create: async (app) => {
    const key = await app.use(secrets).getOrCreate('identity.passkey_challenge_key', () => randomBytes(32).toString('base64'))
    let library: Promise<typeof simplewebauthn> | null = null
    return { key: Buffer.from(key, 'base64'), library: () => (library ??= import('@simplewebauthn/server')) }
  },
})

/** EdDSA, ES256, RS256 (the IANA registry of COSE algorithms): what authenticators in use make, the best first. */
export const algorithms: readonly number[] = [-8, -7, -257]

export interface RelyingParty {
  /** The host of `PUBLIC_URL`: passkeys belong to it. */
  readonly id: string
  /** Whose pages may use them. */
  readonly origins: readonly string[]
}

/** 409 `auth.passkeys_unavailable` where the installation has no name. */
export const relyingPartyOf = (app: App): RelyingParty => {
  const { hostname, origin } = new URL(app.use(httpService).url())
  if (isIP(hostname.replaceAll(/[[\]]/g, '')) !== 0) throw errors.passkeys_unavailable()
  return { id: hostname, origins: [origin, ...app.settings(httpSettings).cors_origins.map((other) => other.replace(/\/+$/, ''))] }
}
