import { timingSafeEqual } from 'node:crypto'
import type { App } from '../../../platform/context.ts'
import type { Credentials, Identified } from '../../../platform/http/authenticate.ts'
import { errors as workspaceErrors } from '../../workspaces/errors.ts'
import { errors as authErrors } from '../errors.ts'
import { errors } from './errors.ts'
import { keyHash, readKey } from './key-format.ts'
import { keyUses } from './key-uses.ts'
import { type LiveKey, liveKeys } from './live-keys.ts'

const refused = { headers: { 'www-authenticate': 'Bearer error="invalid_token"' } }

/**
 * Turns an API key into an actor, without a turn of the event loop when the key is in memory. Errors: 401 `auth.api_key_invalid`,
 * 401 `auth.api_key_expired`, 404 `workspaces.not_found` for another workspace than its own.
 */
export const withKey = (app: App, text: string, credentials: Credentials): Identified | Promise<Identified> => {
  const public_part = readKey(text)
  if (public_part === null) throw authErrors.api_key_invalid(refused)
  const key = app.use(liveKeys).get(public_part, null)
  return key instanceof Promise ? key.then((found) => identify(app, found, text, credentials)) : identify(app, key, text, credentials)
}

const identify = (app: App, key: LiveKey | null, text: string, { workspace_id: wanted, ip }: Credentials): Identified => {
  if (key === null || !timingSafeEqual(keyHash(text), key.hash)) throw authErrors.api_key_invalid(refused)
  const { standing, workspace_id, user_id, via } = key
  if (standing === null) throw authErrors.api_key_invalid(refused)
  if (key.expires_at <= app.now()) throw errors.api_key_expired(refused)
  if (wanted !== null && wanted.toLowerCase() !== workspace_id) throw workspaceErrors.not_found()
  app.use(keyUses).note(key.key_id, ip)
  return { actor: { type: 'user', user_id, ...standing, via, impersonator_id: null }, workspace_id }
}
