import { defineErrors } from '../../../platform/errors.ts'

export const errors = defineErrors('auth', {
  api_key_expired: { status: 401, title: 'The API key has expired' },
  credentials_conflict: {
    status: 401,
    title: 'The request carries two different credentials',
    doc: 'An access token or key as `Authorization: Bearer`, and another key as `X-API-Key`: which of them counts is not for the server to guess.',
  },
  api_key_not_found: { status: 404, title: 'There is no such API key' },
  api_key_permission_refused: {
    status: 422,
    title: 'An API key cannot have a permission that you do not have yourself, or one that takes a session',
  },
  api_key_expiry_past: { status: 422, title: 'The API key would have expired already' },
  api_key_limit: { status: 409, title: 'You have as many API keys as there may be; remove one' },
})
