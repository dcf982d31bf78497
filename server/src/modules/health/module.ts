import { defineModule } from '../../platform/module.ts'
import { checks } from './checks.ts'
import { healthReport } from './health.ts'
import * as routes from './routes.ts'

export default defineModule({
  name: 'health',
  permissions: { 'health:read': { doc: 'See each health check of the installation.' } },
  services: [healthReport],
  routes: Object.values(routes),
  checks,
})
