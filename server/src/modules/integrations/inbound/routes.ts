import { rawRoute } from '../../../platform/http/route.ts'
import { errors } from '../errors.ts'
import { take } from './user-registered.ts'

export const tellUserRegistered = rawRoute({
  methods: ['POST'],
  path: '/api/v1/webhooks/user-registered',
  summary: 'Tell that somebody registered in another system',
  description:
    'Signed as Standard Webhooks says, with `MILLRACE_USER_REGISTERED_SECRET`; without that setting nothing listens here. The body is `{ "data": { "email", "id"?, "name"? } }`. It becomes an event `integrations.user_registered`, once for each `webhook-id`.',
  body_limit_bytes: 65_536,
  replies: { 204: { description: 'Taken, now or before.' } },
  errors: [errors.signature_invalid],
  handle: async (app, request, reply) => {
    await take(app, request)
    reply.send(204, {}, null)
  },
})
