import { defineModule } from '../../platform/module.ts'
import { leaveErased } from './deletion/consumers.ts'
import { tidy } from './deletion/purge.ts'
import { errors } from './errors.ts'
import * as events from './events.ts'
import * as invitationRoutes from './invitations/routes.ts'
import { seatsOf } from './invitations/invitations.ts'
import * as memberRoutes from './members/routes.ts'
import { personalData } from './personal-data.ts'
import * as routes from './routes.ts'
import { settings } from './settings.ts'
import * as workspaces from './workspaces.ts'

export default defineModule({
  name: 'workspaces',
  needs: ['mail', 'plans', 'users'],
  settings,
  errors,
  permissions: {
    'workspaces:create': { doc: 'Make workspaces.' },
    'workspaces:restore': { doc: 'Restore a deleted workspace of your own.', session_only: true },
    'workspace:read': { doc: 'See the workspace and who belongs to it.' },
    'workspace:manage': { doc: 'Change the workspace, invite and remove members and change their roles.' },
    'workspace:own': { doc: 'Delete the workspace and hand it over.', session_only: true },
  },
  personal_data: personalData,
  events: Object.values(events),
  routes: [...Object.values(routes), ...Object.values(memberRoutes), ...Object.values(invitationRoutes)],
  jobs: [tidy],
  consumers: [leaveErased],
  owners: workspaces.ownersOf,
  gauges: { seats: seatsOf, workspaces: workspaces.countOwned },
  migrations: new URL('./migrations/', import.meta.url),
})
