import { defineErrors } from '../errors.ts'

export const httpErrors = defineErrors('http', {
  malformed_request: { status: 400, title: 'The request cannot be understood' },
  malformed_json: { status: 400, title: 'The body is not valid JSON' },
  idempotency_key_invalid: {
    status: 400,
    title: 'The Idempotency-Key is not usable',
    doc: 'A string of 1 to 255 visible characters, as `"8e03978e-40d5-43dd-bc93-6894a57f9324"`; the quotes may be left out.',
  },
  unauthenticated: { status: 401, title: 'Sign in first', doc: 'The call needs an access token or an API key.' },
  forbidden: { status: 403, title: 'Not permitted', doc: 'The role of the caller does not have the permission that the call needs.' },
  mfa_enrolment_required: {
    status: 403,
    title: 'Set up a second factor first',
    doc: 'The installation asks this account for one (`MILLRACE_REQUIRE_MFA`), and it has none. Until then it may look after itself alone.',
  },
  not_found: { status: 404, title: 'Nothing is here' },
  method_not_allowed: { status: 405, title: 'The method is not allowed here', doc: '`Allow` names the methods that are.' },
  request_timeout: { status: 408, title: 'The request did not arrive in time' },
  idempotency_running: { status: 409, title: 'The first request with this Idempotency-Key is still running' },
  precondition_failed: {
    status: 412,
    title: 'The object has changed since it was read',
    doc: 'Read it again and repeat the change on its new `ETag`.',
  },
  body_too_large: { status: 413, title: 'The body is too large' },
  unsupported_media_type: { status: 415, title: 'The content type is not supported' },
  expectation_failed: { status: 417, title: 'The expectation cannot be met' },
  validation_failed: { status: 422, title: 'The input is not valid', doc: '`errors` names each field and what is wrong with it.' },
  idempotency_mismatch: { status: 422, title: 'The Idempotency-Key was used for another request' },
  precondition_required: { status: 428, title: 'If-Match is needed', doc: 'Send the `ETag` of the object as it was last read.' },
  rate_limited: {
    status: 429,
    title: 'The quota is exceeded',
    type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
    doc: '`violated-policies` names the quotas of `RateLimit-Policy`; `Retry-After` says when to come back, in seconds.',
  },
  headers_too_large: { status: 431, title: 'The headers are too large' },
  overloaded: { status: 503, title: 'The server is busy', doc: '`Retry-After` says when to come back, in seconds.' },
})

export const internalErrors = defineErrors('internal', {
  unexpected: {
    status: 500,
    title: 'Something went wrong on our side',
    doc: 'The cause is in the log of the server, under the `request_id` of the reply.',
  },
})
