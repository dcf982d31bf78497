import { defineErrors } from '../../platform/errors.ts'

export const errors = defineErrors('integrations', {
  not_found: { status: 404, title: 'There is no such integration', doc: 'The same for an integration of another workspace.' },
  unknown_type: { status: 422, title: 'There is no such type of integration', doc: '`GET /integrations/types` lists them.' },
  credentials_required: {
    status: 422,
    title: 'Where the credentials go is changed by who knows them',
    doc: 'A change of the configuration that would send stored credentials to another address has to bring all of them along.',
  },
  limit: { status: 409, title: 'The workspace has as many integrations as there may be; remove one' },
  in_use: {
    status: 409,
    title: 'Published workflows use the integration',
    doc: '`used_by` names them. With `?force=true` it is removed all the same, and their steps fail with `integrations.missing`.',
  },
  handover_not_found: { status: 404, title: 'No such start of a workflow of n8n is known' },
  missing: {
    status: 422,
    title: 'The integration is not there any more',
    doc: 'A step names an integration that its workspace does not have.',
  },
  not_usable: { status: 422, title: 'An integration of this type cannot be used for that' },
  signature_invalid: {
    status: 401,
    title: 'The signature does not show that the sender knows the secret',
    doc: 'Or the time that it is of is more than five minutes away.',
  },
  consent_invalid: {
    status: 400,
    title: 'This is not the end of a consent that this browser began to give',
    doc: 'It was begun in another browser or session, took longer than ten minutes, or has ended already.',
  },
  consent_refused: { status: 422, title: 'The service gave no consent' },
  consent_outdated: { status: 409, title: 'The integration was changed while consent was asked for' },
  consent_needed: {
    status: 422,
    title: 'Somebody has to give their consent at the service',
    doc: 'Nobody has yet, or the service does not accept it any more: `POST /users/integrations/{id}/oauth/start`.',
  },
  client_refused: { status: 422, title: 'The service does not accept this client' },
  no_token: { status: 502, title: 'The service gave no token' },
  host_refused: {
    status: 422,
    title: 'The credential is not for that address',
    doc: 'A credential goes to the hosts of its integration alone: `base_url` and `allowed_hosts` of its configuration.',
  },
})
