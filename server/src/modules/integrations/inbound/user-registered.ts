import { Type, type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { isUuid } from '../../../lib/id.ts'
import { parseJsonText } from '../../../lib/json-text.ts'
import { provenDelivery } from '../../../lib/standard-webhooks.ts'
import type { App } from '../../../platform/context.ts'
import { httpErrors } from '../../../platform/http/errors.ts'
import type { RawRequest } from '../../../platform/http/route.ts'
import { invalid } from '../../../platform/http/validate.ts'
import { defineService } from '../../../platform/service.ts'
import { StartError } from '../../../platform/start-error.ts'
import { errors } from '../errors.ts'
import { userRegistered } from '../events.ts'
import { settings } from '../settings.ts'
import { insertDelivery } from './store.ts'

const NoNul = (maxLength: number) => Type.String({ minLength: 1, maxLength, pattern: '^[^\\u0000]*$' })

export const Delivery = Type.Object({
  type: Type.Optional(NoNul(200)),
  data: Type.Object({
    email: Type.String({ format: 'email', maxLength: 320 }),
    id: Type.Optional(NoNul(300)),
    name: Type.Optional(NoNul(300)),
  }),
})
type Delivery = Static<typeof Delivery>

interface Inbound {
  readonly secret: string | null
  readonly workspace_id: string | undefined
  readonly fits: (value: unknown) => value is Delivery
}

export const inbound = defineService<Inbound>({
  name: 'integrations.inbound',
  create: (app) => {
    const { user_registered_secret: secret, user_registered_workspace: workspace_id } = app.settings(settings)
    if (workspace_id !== null && !isUuid(workspace_id))
      throw new StartError(
        'MILLRACE_USER_REGISTERED_WORKSPACE is not the id of a workspace.',
        '`GET /api/v1/workspaces` shows the ids of yours.',
      )
    const validator = Compile(Delivery)
    return { secret, workspace_id: workspace_id ?? undefined, fits: (value): value is Delivery => validator.Check(value) }
  },
})

const read = (body: Buffer): unknown => {
  try {
    return parseJsonText(body.toString(), 16)
  } catch (error) {
    if (error instanceof SyntaxError) throw httpErrors.malformed_json()
    throw error
  }
}

/**
 * Takes the word of another system that somebody registered there. A delivery that comes twice is taken once. Errors: 404 when no secret is set,
 * 401 `integrations.signature_invalid`, 422.
 */
export const take = async (app: App, request: Pick<RawRequest, 'headers' | 'body'>): Promise<void> => {
  const { secret, workspace_id, fits } = app.use(inbound)
  if (secret === null) throw httpErrors.not_found()
  const delivery_id = provenDelivery(request, secret, { now: app.now() })
  if (delivery_id === null) throw errors.signature_invalid()
  const told = read(request.body)
  if (!fits(told)) throw invalid([{ path: 'data', message: 'must have an `email`, and may have an `id` and a `name`' }])
  const { email, id = null, name = null } = told.data
  await app.asSystem('somebody registered in another system', workspace_id).tx(async (tx) => {
    if (!(await insertDelivery(tx.db, 'user-registered', delivery_id, new Date(tx.now()).toISOString()))) return
    tx.emit(userRegistered, { delivery_id, email, external_id: id, name })
  })
}
