import type { WebhookAuth } from '../../../engine/nodes/trigger-webhook.ts'
import type { App } from '../../../platform/context.ts'
import type { RawRequest } from '../../../platform/http/route.ts'
import { errors } from '../errors.ts'
import { openSecrets } from '../secrets/open.ts'
import { hookRefusals } from './refusals.ts'
import { isProven } from './signatures.ts'

/**
 * Resolves when the call proves itself with the secret, or with the one before it while that counts. Throws 401
 * `workflows.hook_unauthorized`, the same whatever is wrong.
 */
export const authorize = async (app: App, workspace_id: string, auth: WebhookAuth, request: RawRequest): Promise<void> => {
  if (auth.type === 'none') return
  const secret = auth.secret_id === undefined ? null : await app.use(openSecrets).get(app, workspace_id, auth.secret_id)
  const now = app.now()
  const values =
    secret === null ? [] : [secret.value, ...(secret.previous !== null && secret.previous.until > now ? [secret.previous.value] : [])]
  if (values.map((value) => isProven(auth, request, value, now)).includes(true)) return
  app.use(hookRefusals).count()
  throw errors.hook_unauthorized(auth.type === 'basic' ? { headers: { 'www-authenticate': 'Basic realm="webhook", charset="UTF-8"' } } : {})
}
