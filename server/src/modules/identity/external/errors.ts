import { defineErrors } from '../../../platform/errors.ts'

export const errors = defineErrors('auth', {
  issuer_unavailable: {
    status: 503,
    title: 'The keys of the issuer of this access token cannot be read',
    doc: 'They are kept for a day, so that an issuer that is down for a while stops nobody. The log says what is wrong.',
  },
  external_token_invalid: {
    status: 422,
    title: 'This is no valid access token of an issuer that is accepted here',
  },
})
