import type { Module } from './platform/module.ts'
import audit from './modules/audit/module.ts'
import health from './modules/health/module.ts'
import identity from './modules/identity/module.ts'
import integrations from './modules/integrations/module.ts'
import mail from './modules/mail/module.ts'
import plans from './modules/plans/module.ts'
import users from './modules/users/module.ts'
import workflows from './modules/workflows/module.ts'
import workspaces from './modules/workspaces/module.ts'

/** The modules of the product, each after those it needs. A new module adds its one line here. */
export const modules: readonly Module[] = [health, mail, users, plans, workspaces, identity, integrations, workflows, audit]
