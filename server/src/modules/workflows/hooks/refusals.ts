import { Counter } from 'prom-client'
import { defineService } from '../../../platform/service.ts'

/** Counts the calls that a webhook did not take. */
export interface HookRefusals {
  readonly count: () => void
}

export const hookRefusals = defineService<HookRefusals>({
  name: 'workflows.hook_refusals',
  create: ({ metrics }) => {
    const counter = new Counter({
      name: 'millrace_webhook_refusals_total',
      help: 'Calls of webhooks whose credentials or signature were missing or wrong.',
      registers: [metrics.registry],
    })
    return { count: () => counter.inc() }
  },
})
