import { Type } from 'typebox'
import { trigger } from '../node.ts'

export const manualTrigger = trigger({
  type: 'trigger.manual',
  title: 'Manual start',
  description: 'Starts when somebody asks for it, in the console or through the API. `trigger` is the input that was given.',
  icon: 'player-play',
  config: Type.Object({}, { additionalProperties: false }),
  output: Type.Unknown({ description: 'The input of the start.' }),
  example: { config: {}, trigger: { name: 'Ada' } },
})
