import { Type } from 'typebox'
import { reply, route } from '../../../platform/http/route.ts'
import { errors } from '../errors.ts'
import { Id } from '../schema.ts'
import { browserCookie, callback_path, newBrowser, readBrowser } from './browser.ts'
import * as consent from './consent.ts'

const text = Type.Optional(Type.String({ minLength: 1, maxLength: 4_000 }))

export const startConsent = route({
  method: 'POST',
  path: '/users/integrations/{id}/oauth/start',
  summary: 'Begin to give consent at a service',
  description:
    'Send the browser to `authorization_url`. It comes back to `redirect_to` with `#connected=…` or `#error=…`. The cookie that comes with the reply ties the consent to this browser, and the session has to go on until then.',
  allow: 'integrations:write',
  params: Type.Object({ id: Id }),
  body: Type.Object(
    {
      redirect_to: Type.Optional(
        Type.String({ minLength: 1, maxLength: 2_000, default: '/', description: 'A path of this installation.' }),
      ),
    },
    { additionalProperties: false, title: 'StartConsent' },
  ),
  replies: { 200: Type.Object({ authorization_url: Type.String() }) },
  errors: [errors.not_found, errors.not_usable],
  limits: [{ name: 'consent-start', quota: 30, window_s: 60, per: 'user' }],
  handler: async (ctx, { params: { id }, body, request }) => {
    const browser = readBrowser(ctx, request) ?? newBrowser()
    const authorization_url = await consent.begin(ctx, id, body.redirect_to ?? '/', browser)
    return reply({ status: 200, body: { authorization_url }, cookies: [browserCookie(ctx, browser, consent.life_s)] })
  },
})

export const consentCallback = route({
  method: 'GET',
  path: callback_path,
  summary: 'Where a service sends the browser back to',
  description: 'Its address is the redirect URI to register with the service.',
  allow: 'public',
  query: Type.Object(
    { state: Type.String({ minLength: 1, maxLength: 200 }), code: text, iss: text, error: text },
    { additionalProperties: Type.Unknown() },
  ),
  replies: { 303: Type.Object({ message: Type.String() }) },
  errors: [errors.consent_invalid],
  limits: [{ name: 'consent-callback', quota: 60, window_s: 60, per: 'address' }],
  handler: async (ctx, { query, request }) =>
    reply({
      status: 303,
      headers: {
        location: await consent.finish(ctx, query, readBrowser(ctx, request)),
        'cache-control': 'no-store',
        'referrer-policy': 'no-referrer',
      },
      body: { message: 'Go on at the address in `Location`.' },
    }),
})
