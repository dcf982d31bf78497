import { defineModule } from '../../platform/module.ts'
import { followPlans } from './consumers.ts'
import { errors } from './errors.ts'
import * as events from './events.ts'
import { notices } from './notices.ts'
import { personalData } from './personal-data.ts'
import { removeWorkspace } from './plans.ts'
import { quotas } from './quotas.ts'
import * as routes from './routes.ts'
import { usageBook } from './usage-book.ts'
import { workspacePlans } from './workspace-plans.ts'

export default defineModule({
  name: 'plans',
  needs: ['users'],
  errors,
  events: Object.values(events),
  services: [workspacePlans, usageBook, notices],
  routes: Object.values(routes),
  consumers: [followPlans],
  quotas,
  personal_data: [personalData],
  // One that is deleted may come back, and has used what it used.
  purge: removeWorkspace,
  migrations: new URL('./migrations/', import.meta.url),
})
