import { defineModule } from '../../platform/module.ts'
import { errors } from './errors.ts'
import * as events from './events.ts'
import * as routes from './routes.ts'
import { settings } from './settings.ts'

export default defineModule({
  name: 'users',
  settings,
  errors,
  permissions: {
    'account:read': { doc: 'See your own account.' },
    'account:write': { doc: 'Change your own profile.' },
    'users:read': { doc: 'See every account of the installation.' },
    'users:manage': { doc: 'Make, change, switch off and remove accounts of the installation.' },
  },
  events: Object.values(events),
  routes: Object.values(routes),
  migrations: new URL('./migrations/', import.meta.url),
})
