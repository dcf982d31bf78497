import { defineErrors } from '../../platform/errors.ts'

export const errors = defineErrors('plans', {
  limit_reached: {
    status: 402,
    title: 'The plan does not give more of this',
    doc:
      '`violated-policies` and `feature` name what is used up, `plan`, `limit` and `used` say how much there was. Waiting helps only where `period_end` ' +
      'says when the count begins anew; else remove something, or take a larger plan. 402 and not 429, which client libraries repeat by themselves.',
  },
})
