import { Type } from 'typebox'
import type { NodeType } from '../node.ts'

export const mergeNode: NodeType = {
  kind: 'merge',
  type: 'flow.merge',
  title: 'Merge',
  description: 'Brings branches together: waits for all that are live, or goes on with the first.',
  icon: 'arrows-join',
  config: Type.Object(
    {
      mode: Type.Optional(Type.Unsafe<'all' | 'first'>({ type: 'string', format: 'literal', enum: ['all', 'first'], default: 'all' })),
    },
    { additionalProperties: false },
  ),
  output: Type.Unknown({ description: '`all`: the outputs of the live nodes before it, by node id. `first`: the output that came first.' }),
  example: { config: { mode: 'all' }, trigger: { id: 1 }, output: { start: { id: 1 } } },
}
