import { Type } from 'typebox'
import { route } from '../../../platform/http/route.ts'
import { Proof } from '../mfa/schema.ts'
import { errors as oidcErrors } from '../oidc/errors.ts'
import { perUser, proofErrors } from '../oidc/proof-route.ts'
import { Message } from '../schema.ts'
import { errors } from './errors.ts'
import * as external from './external.ts'

export const linkExternal = route({
  method: 'POST',
  path: '/auth/identities',
  summary: 'Link who you are at an issuer of access tokens',
  description: 'From then on its access tokens act as your account here.',
  allow: 'account:security',
  body: Type.Object(
    { token: Type.String({ minLength: 1, maxLength: 8_192, description: 'An access token of that issuer.' }), ...Proof.properties },
    { additionalProperties: false, title: 'IdentityLink' },
  ),
  body_limit_bytes: 32_768,
  replies: { 201: Message },
  errors: [...proofErrors, errors.external_token_invalid, oidcErrors.identity_taken, errors.issuer_unavailable],
  limits: perUser,
  handler: async (ctx, { body: { token, ...proof } }) => {
    await external.linkToken(ctx, token, proof)
    return { message: 'Its access tokens act as your account from now on.' }
  },
})
