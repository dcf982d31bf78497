import { httpService } from '../../platform/http/http-service.ts'
import { defineModule } from '../../platform/module.ts'
import { checks } from './checks.ts'
import { deliver, postQueued, tidy } from './delivery.ts'
import { errors } from './errors.ts'
import * as events from './events.ts'
import { personalData, removeWorkspace } from './personal-data.ts'
import * as routes from './routes.ts'
import { sender } from './sender.ts'
import { settings } from './settings.ts'
import { smtp } from './smtp.ts'

export default defineModule({
  name: 'mail',
  settings,
  errors,
  permissions: { 'mails:read': { doc: 'See the mails of the installation, and read those that were not sent.', session_only: true } },
  events: Object.values(events),
  services: [sender, smtp],
  routes: Object.values(routes),
  consumers: [postQueued],
  jobs: [deliver, tidy],
  checks,
  personal_data: [personalData],
  purge: removeWorkspace,
  announce: (app) => {
    const text = `no SMTP_URL is set; mails stay in the outbox, where an admin reads them: ${app.use(httpService).url()}/api/v1/mails`
    return Promise.resolve(app.use(smtp) === null ? [{ label: 'Mail', text }] : [])
  },
  migrations: new URL('./migrations/', import.meta.url),
})
