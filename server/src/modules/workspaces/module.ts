import { defineModule } from '../../platform/module.ts'
import { errors } from './errors.ts'
import * as events from './events.ts'
import * as routes from './routes.ts'
import { ownersOf } from './workspaces.ts'

export default defineModule({
  name: 'workspaces',
  needs: ['users'],
  errors,
  permissions: { 'workspace:read': { doc: 'See the workspace and who belongs to it.' } },
  events: Object.values(events),
  routes: Object.values(routes),
  owners: ownersOf,
  migrations: new URL('./migrations/', import.meta.url),
})
