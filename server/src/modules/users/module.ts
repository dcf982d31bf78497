import { defineModule } from '../../platform/module.ts'
import { errors } from './errors.ts'
import * as events from './events.ts'
import * as routes from './routes.ts'
import { settings } from './settings.ts'

export default defineModule({
  name: 'users',
  settings,
  errors,
  permissions: { 'users:admin': { doc: 'See and manage every account of the installation.', least: 'system_admin' } },
  events: Object.values(events),
  routes: Object.values(routes),
  migrations: new URL('./migrations/', import.meta.url),
})
