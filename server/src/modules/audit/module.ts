import { defineModule } from '../../platform/module.ts'
import { wholeActivity } from './audit.ts'
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
  // It goes by the entry that says so, after the account has gone: the chain keeps what happened, without what tells of the person.
  personal_data: [
    {
      name: 'activity',
      doc: 'What the account did and what was done to it, with the addresses it came from.',
      read: (ctx, { id }) => Promise.resolve(wholeActivity(ctx, id)),
    },
  ],
  migrations: new URL('./migrations/', import.meta.url),
  routes: Object.values(routes),
  consumers: [enter],
})
