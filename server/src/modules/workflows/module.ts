import { defineModule } from '../../platform/module.ts'
import { approvalNode } from './approvals/node.ts'
import * as approvalRoutes from './approvals/routes.ts'
import { followSecrets, followVariables, followWebhooks } from './consumers.ts'
import { errors } from './errors.ts'
import * as events from './events.ts'
import * as controlRoutes from './control/routes.ts'
import * as executionRoutes from './execution-routes.ts'
import { openForm } from './forms/route.ts'
import { formTokens } from './forms/tokens.ts'
import { resumeExecution } from './hooks/resume.ts'
import { callHook } from './hooks/route.ts'
import { hookTable } from './hooks/table.ts'
import { forgetApprovals } from './history/forget-approvals.ts'
import * as historyRoutes from './history/routes.ts'
import { hookRefusals } from './hooks/refusals.ts'
import { bulkJob } from './bulk/job.ts'
import * as bulkRoutes from './bulk/routes.ts'
import { callNode } from './nodes/call.ts'
import { openSecrets } from './secrets/open.ts'
import { forgetRequests } from './requests/forget-requests.ts'
import { requestKeeper } from './requests/keeper.ts'
import * as requestRoutes from './requests/routes.ts'
import * as templateEvents from './templates/events.ts'
import * as templateRoutes from './templates/routes.ts'
import * as secretRoutes from './secrets/routes.ts'
import * as routes from './routes.ts'
import { usersOfIntegration } from './workflows.ts'
import { placeholderNode } from './transfer/n8n/placeholder.ts'
import * as transferRoutes from './transfer/routes.ts'
import { conditions } from './triggers/conditions.ts'
import { followEvents } from './triggers/follow.ts'
import { installationWorkspace } from './triggers/installation.ts'
import { scheduleClock } from './triggers/schedules.ts'
import { decisionsData, personalData, templatesData, variablesData } from './personal-data.ts'
import { settings } from './settings.ts'
import { executions } from './statistics.ts'
import * as testRoutes from './tests/routes.ts'
import * as versionRoutes from './versions/routes.ts'
import { knownVariables } from './variables/known.ts'
import * as variableRoutes from './variables/routes.ts'

export default defineModule({
  name: 'workflows',
  needs: ['mail', 'users', 'plans', 'workspaces', 'integrations'],
  settings,
  errors,
  permissions: {
    'workflows:read': { doc: 'See workflows, their versions and their executions.' },
    'workflows:write': { doc: 'Make, change, publish, pause and remove workflows.' },
    'workflows:execute': { doc: 'Start workflows by hand; cancel, retry, fork, pause and resume executions.' },
    'workflows:approve': { doc: 'Decide what workflows ask you.', session_only: true },
  },
  events: [...Object.values(events), ...Object.values(templateEvents)],
  services: [
    hookTable,
    scheduleClock,
    conditions,
    openSecrets,
    hookRefusals,
    formTokens,
    knownVariables,
    requestKeeper,
    installationWorkspace,
  ],
  routes: [
    ...Object.values(routes),
    ...Object.values(executionRoutes),
    ...Object.values(controlRoutes),
    ...Object.values(bulkRoutes),
    ...Object.values(secretRoutes),
    ...Object.values(requestRoutes),
    ...Object.values(approvalRoutes),
    ...Object.values(historyRoutes),
    ...Object.values(testRoutes),
    ...Object.values(versionRoutes),
    ...Object.values(variableRoutes),
    ...Object.values(transferRoutes),
    ...Object.values(templateRoutes),
    callHook,
    openForm,
    resumeExecution,
  ],
  nodes: [callNode, approvalNode, placeholderNode],
  statistics: [executions],
  personal_data: [personalData, decisionsData, variablesData, templatesData],
  jobs: [forgetApprovals, forgetRequests, bulkJob],
  consumers: [followEvents, followWebhooks, followSecrets, followVariables],
  usersOfIntegration,
  variables: (app, workspace_id) => app.use(knownVariables).get(app, workspace_id),
  migrations: new URL('./migrations/', import.meta.url),
})
