import { Type } from 'typebox'
import { isJsonObject, type Json } from '../../lib/json.ts'
import { pure } from '../node.ts'

export const setNode = pure({
  type: 'data.set',
  title: 'Set fields',
  description: 'Makes an object of values; with `keep`, the input’s fields stay.',
  icon: 'forms',
  config: Type.Object(
    {
      values: Type.Unsafe<{ readonly [key: string]: Json }>(
        Type.Record(Type.String(), Type.Unknown(), { description: 'Any JSON; `{{ … }}` is evaluated.' }),
      ),
      keep: Type.Optional(Type.Boolean({ default: false, description: 'Keep the fields of the input that are not set here.' })),
    },
    { additionalProperties: false },
  ),
  output: Type.Record(Type.String(), Type.Unknown()),
  example: { config: { values: { greeting: 'Hello {{ trigger.name }}' } }, trigger: { name: 'Ada' }, output: { greeting: 'Hello Ada' } },
  run: ({ config, input }) => ({ output: config.keep === true && isJsonObject(input) ? { ...input, ...config.values } : config.values }),
})
