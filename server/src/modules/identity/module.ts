import { defineModule } from '../../platform/module.ts'
import { errors as administrationErrors } from './administration/errors.ts'
import * as administrationRoutes from './administration/routes.ts'
import { attempts } from './sign-in/attempts.ts'
import { authenticate } from './authenticate.ts'
import { forget } from './consumers.ts'
import { busy, errors } from './errors.ts'
import { loginFailed, sessionCreated, sessionRevoked, signingKeyRotated } from './events.ts'
import { errors as externalErrors } from './external/errors.ts'
import { liveExternals } from './external/live-externals.ts'
import * as externalRoutes from './external/routes.ts'
import { externalService } from './external/service.ts'
import { hashPool } from './passwords/hash-pool.ts'
import { setupLink } from './identity.ts'
import { errors as impersonationErrors } from './impersonation/errors.ts'
import * as impersonationEvents from './impersonation/events.ts'
import * as impersonationRoutes from './impersonation/routes.ts'
import { endKeys } from './keys/consumers.ts'
import { errors as keyErrors } from './keys/errors.ts'
import * as keyEvents from './keys/events.ts'
import { keyUses } from './keys/key-uses.ts'
import { countOwn } from './keys/keys.ts'
import { liveKeys } from './keys/live-keys.ts'
import * as keyRoutes from './keys/routes.ts'
import { errors as mfaErrors } from './mfa/errors.ts'
import * as mfaEvents from './mfa/events.ts'
import * as mfaRoutes from './mfa/routes.ts'
import { errors as oidcErrors } from './oidc/errors.ts'
import * as oidcEvents from './oidc/events.ts'
import * as oidcRoutes from './oidc/routes.ts'
import { oidcService } from './oidc/service.ts'
import { errors as passkeyErrors } from './passkeys/errors.ts'
import * as passkeyEvents from './passkeys/events.ts'
import * as passkeyRoutes from './passkeys/routes.ts'
import { webauthn } from './passkeys/webauthn.ts'
import { sendLinks } from './recovery/consumers.ts'
import { errors as recoveryErrors } from './recovery/errors.ts'
import * as recoveryEvents from './recovery/events.ts'
import * as recoveryPages from './recovery/pages.ts'
import * as recoveryRoutes from './recovery/routes.ts'
import { personalData } from './personal-data.ts'
import { rotations } from './sessions/rotations.ts'
import * as routes from './routes.ts'
import { commonPasswords, sessionCache, tokenKeys } from './services.ts'
import { settings } from './settings.ts'
import { configuredAdmin } from './setup/setup.ts'
import * as teamEvents from './teams/events.ts'
import * as teamPages from './teams/pages.ts'
import * as teamRoutes from './teams/routes.ts'
import { setupPage } from './setup/setup-page.ts'
import { activity } from './statistics.ts'

export default defineModule({
  name: 'identity',
  needs: ['mail', 'users', 'plans', 'workspaces'],
  settings,
  errors: [
    errors,
    administrationErrors,
    busy,
    impersonationErrors,
    keyErrors,
    recoveryErrors,
    mfaErrors,
    passkeyErrors,
    oidcErrors,
    externalErrors,
  ],
  permissions: {
    'account:security': { doc: 'Sign out, and change how you sign in.', session_only: true },
    'users:impersonate': { doc: 'Act as a user, with both names in the audit.', session_only: true },
    'keys:read_all': { doc: 'See every API key of the installation, though never its secret.' },
  },
  events: [
    sessionCreated,
    sessionRevoked,
    loginFailed,
    signingKeyRotated,
    ...Object.values(recoveryEvents),
    ...Object.values(keyEvents),
    ...Object.values(impersonationEvents),
    ...Object.values(mfaEvents),
    ...Object.values(passkeyEvents),
    ...Object.values(oidcEvents),
    ...Object.values(teamEvents),
  ],
  migrations: new URL('./migrations/', import.meta.url),
  services: [
    hashPool,
    attempts,
    commonPasswords,
    sessionCache,
    tokenKeys,
    rotations,
    liveKeys,
    keyUses,
    webauthn,
    oidcService,
    liveExternals,
    externalService,
    configuredAdmin,
  ],
  routes: [
    ...Object.values(routes),
    ...Object.values(administrationRoutes),
    ...Object.values(recoveryRoutes),
    ...Object.values(keyRoutes),
    ...Object.values(impersonationRoutes),
    ...Object.values(mfaRoutes),
    ...Object.values(passkeyRoutes),
    ...Object.values(oidcRoutes),
    ...Object.values(externalRoutes),
    ...Object.values(teamRoutes),
    ...Object.values(recoveryPages),
    ...Object.values(teamPages),
    setupPage,
  ],
  gauges: { api_keys: countOwn },
  statistics: [activity],
  personal_data: personalData,
  consumers: [forget, endKeys, sendLinks],
  announce: async (app) => {
    const link = await setupLink(app)
    return link === null ? [] : [{ label: 'Set up', text: link }]
  },
  authenticate,
})
