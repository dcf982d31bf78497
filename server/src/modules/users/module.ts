import { defineModule } from '../../platform/module.ts'
import * as administration from './administration/routes.ts'
import { errors } from './errors.ts'
import * as events from './events.ts'
import { beginPersonalData } from './personal-data/consumers.ts'
import { erase } from './personal-data/erase.ts'
import * as personalDataEvents from './personal-data/events.ts'
import { writeExport } from './personal-data/export.ts'
import * as personalData from './personal-data/routes.ts'
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
    'users:appoint': { doc: 'Make admins of the installation, and make them ordinary users or remove them.', session_only: true },
  },
  personal_data: [
    {
      name: 'profile',
      doc: 'The account itself, and how often it signed in.',
      read: async (ctx, { id }) => [await byId(ctx, id), (await signInsOf(ctx.db, id)) ?? { total: 0 }],
    },
  ],
  jobs: [writeExport, erase],
  consumers: [beginPersonalData],
  statistics: [
    {
      name: 'sign_ins',
      doc: 'Sessions opened: `total`, and when the last one was (`last_at`).',
      ofUser: async (ctx, user_id) => (await signInsOf(ctx.db, user_id)) ?? { total: 0, last_at: null },
    },
  ],
  addressOf: async (ctx, user_id) => (await byId(ctx, user_id))?.email ?? null,
  events: [...Object.values(events), ...Object.values(personalDataEvents)],
  routes: [...Object.values(routes), ...Object.values(administration), ...Object.values(personalData)],
  migrations: new URL('./migrations/', import.meta.url),
})
