import { Type } from 'typebox'
import { pure } from '../node.ts'

export const stopNode = pure({
  type: 'flow.stop',
  title: 'Stop',
  description:
    'Ends the whole execution at once: no other branch goes on, and what is under way is broken off. As failed, the execution’s error has the code `flow.stopped` and the message; nothing catches it.',
  icon: 'hand-stop',
  config: Type.Object(
    {
      status: Type.Unsafe<'succeeded' | 'failed'>({ type: 'string', format: 'literal', enum: ['succeeded', 'failed'] }),
      message: Type.Optional(Type.String({ maxLength: 10_000, description: 'What the execution says of its end.' })),
    },
    { additionalProperties: false },
  ),
  output: Type.Object({ status: Type.String(), message: Type.Union([Type.String(), Type.Null()]) }),
  ports: [],
  example: {
    config: { status: 'succeeded', message: 'Order {{ trigger.id }} has been dealt with before' },
    trigger: { id: 7 },
    output: { status: 'succeeded', message: 'Order 7 has been dealt with before' },
    ports: [],
  },
  run: ({ config: { status, message } }) => ({
    output: { status, message: message ?? null },
    stop: { status, message: message ?? 'The workflow stopped here' },
  }),
})
