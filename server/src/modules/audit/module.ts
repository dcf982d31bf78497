import { defineModule } from '../../platform/module.ts'
import { enter } from './consumers.ts'
import { exported } from './events.ts'
import * as routes from './routes.ts'

export default defineModule({
  name: 'audit',
  needs: ['users'],
  permissions: {
    'audit:read': { doc: 'See who did what in the workspace.' },
    'audit:read_all': { doc: 'See who did what in all workspaces and in none.' },
  },
  events: [exported],
  migrations: new URL('./migrations/', import.meta.url),
  routes: Object.values(routes),
  consumers: [enter],
})
