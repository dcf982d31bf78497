import { defineSettings } from '../../platform/config.ts'

export const settings = defineSettings({
  grace_days: {
    env: 'MILLRACE_WORKSPACE_GRACE_DAYS',
    type: 'integer',
    default: 30,
    min: 1,
    max: 365,
    doc: 'Days for which a deleted workspace can be restored, before it is removed for good. What was deleted before keeps the day that its owners were told.',
  },
})
