import { defineModule } from '../../platform/module.ts'
import { attempts } from './attempts.ts'
import { authenticate } from './authenticate.ts'
import { forget } from './consumers.ts'
import { busy, errors } from './errors.ts'
import { loginFailed, sessionCreated, sessionRevoked, signingKeyRotated } from './events.ts'
import { hashPool } from './hash-pool.ts'
import { setupLink } from './identity.ts'
import * as routes from './routes.ts'
import { commonPasswords, sessionCache, tokenKeys } from './services.ts'
import { settings } from './settings.ts'
import { configuredAdmin } from './setup.ts'
import { setupPage } from './setup-page.ts'

export default defineModule({
  name: 'identity',
  needs: ['users', 'workspaces'],
  settings,
  errors: [errors, busy],
  permissions: { 'account:security': { doc: 'Sign out, and change how you sign in.', session_only: true } },
  events: [sessionCreated, sessionRevoked, loginFailed, signingKeyRotated],
  migrations: new URL('./migrations/', import.meta.url),
  services: [hashPool, attempts, commonPasswords, sessionCache, tokenKeys, configuredAdmin],
  routes: [...Object.values(routes), setupPage],
  consumers: [forget],
  announce: async (app) => {
    const link = await setupLink(app)
    return link === null ? [] : [{ label: 'Set up', text: link }]
  },
  authenticate,
})
