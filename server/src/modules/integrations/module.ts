import { defineModule } from '../../platform/module.ts'
import { credentialOf } from './credential.ts'
import { errors } from './errors.ts'
import * as events from './events.ts'
import { tellUserRegistered } from './inbound/routes.ts'
import { inbound } from './inbound/user-registered.ts'
import { triggerN8n } from './n8n/job.ts'
import { mailSend } from './mail/node.ts'
import { n8nTrigger } from './n8n/node.ts'
import * as n8nRoutes from './n8n/routes.ts'
import * as consentRoutes from './oauth/routes.ts'
import { renewals } from './oauth/tokens.ts'
import { personalData } from './personal-data.ts'
import * as routes from './routes.ts'
import { slackPost } from './slack/node.ts'
import { settings } from './settings.ts'
import { uses } from './uses.ts'

export default defineModule({
  name: 'integrations',
  needs: ['mail', 'users', 'workspaces', 'identity'],
  settings,
  errors,
  permissions: {
    'integrations:read': { doc: 'See what the workspace is connected with. Credentials are shown to nobody.' },
    'integrations:write': { doc: 'Connect services, change, test and remove integrations.' },
    'integrations:use': { doc: 'Have an integration do something: start a workflow of n8n.' },
  },
  events: Object.values(events),
  services: [uses, renewals, inbound],
  routes: [...Object.values(routes), ...Object.values(n8nRoutes), ...Object.values(consentRoutes), tellUserRegistered],
  nodes: [n8nTrigger, mailSend, slackPost],
  jobs: [triggerN8n],
  credentials: credentialOf,
  personal_data: [personalData],
  migrations: new URL('./migrations/', import.meta.url),
})
