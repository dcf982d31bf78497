import { defineModule } from '../../platform/module.ts'
import * as administration from './administration/routes.ts'
import { errors } from './errors.ts'
import * as events from './events.ts'
import * as routes from './routes.ts'
import { settings } from './settings.ts'
import { signInsOf } from './store.ts'
import { byId } from './users.ts'

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
  statistics: [
    {
      name: 'sign_ins',
      doc: 'Sessions opened: `total`, and when the last one was (`last_at`).',
      ofUser: async (ctx, user_id) => (await signInsOf(ctx.db, user_id)) ?? { total: 0, last_at: null },
    },
  ],
  addressOf: async (ctx, user_id) => (await byId(ctx, user_id))?.email ?? null,
  events: Object.values(events),
  routes: [...Object.values(routes), ...Object.values(administration)],
  migrations: new URL('./migrations/', import.meta.url),
})
