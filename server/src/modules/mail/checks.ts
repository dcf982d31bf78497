import type { HealthCheck } from '../../platform/module.ts'
import { smtp } from './smtp.ts'
import { lastAttempt } from './store.ts'

const mail: HealthCheck = {
  name: 'mail',
  check: async (app) => {
    if (app.use(smtp) === null) return { ok: true, detail: 'no SMTP server is configured; mails stay in the outbox' }
    const last = await lastAttempt(app.asSystem('a health check looks at the mails').db)
    if (last === undefined) return { ok: true, detail: 'no mail has been sent yet' }
    // A mail that was refused for good says nothing about the next one.
    if (last.status !== 'queued')
      return { ok: true, detail: last.status === 'sent' ? 'the last mail was taken' : 'the last mail was refused' }
    return { ok: false, detail: `the last mail was not taken, and will be tried again: ${last.error}` }
  },
}

export const checks: readonly HealthCheck[] = [mail]
