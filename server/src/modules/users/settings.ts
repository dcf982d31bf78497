import { defineSettings } from '../../platform/config.ts'

export const settings = defineSettings({
  default_plan: {
    env: 'MILLRACE_DEFAULT_PLAN',
    type: 'choice',
    choices: ['free', 'basic', 'premium', 'enterprise'],
    default: 'enterprise',
    doc: "The plan of new accounts. `enterprise` suits one's own team; set `free` to sell the others.",
  },
})
