import { Type } from 'typebox'
import type { Json, JsonObject } from '../../lib/json.ts'
import type { OnDemand } from '../expression/config.ts'
import { slug } from '../graph/definition.ts'
import { pure } from '../node.ts'
import { conditionOf } from './items.ts'

const otherwise = 'otherwise'

const Condition = Type.Unsafe<OnDemand>({
  anyOf: [{ type: 'string', format: 'expression', minLength: 1 }, { type: 'boolean' }],
  evaluate: 'on_demand',
  description: 'An expression that gives true or false.',
})

const portsOf = (config: JsonObject): readonly string[] => (config['cases'] as readonly { port: string }[]).map(({ port }) => port)

export const switchNode = pure({
  type: 'flow.switch',
  title: 'Switch',
  description:
    'Goes on with its input through the port of the first case that matches, or through `otherwise`. With `first_match: false` through the ports of all that match, at the same time.',
  icon: 'arrow-ramp-right',
  config: Type.Object(
    {
      cases: Type.Array(
        Type.Object(
          {
            port: Type.String({ format: 'literal', pattern: slug, description: 'What the edges of this case name.' }),
            when: Condition,
          },
          { additionalProperties: false },
        ),
        { minItems: 1, maxItems: 100, description: '`port` and `when` of each. A case after the one that matches is not evaluated.' },
      ),
      first_match: Type.Optional(
        Type.Unsafe<boolean>(Type.Boolean({ default: true, description: 'False: each case that matches is gone through.' })),
      ),
    },
    { additionalProperties: false },
  ),
  check: (config) => {
    const ports = portsOf(config)
    return ports.flatMap((port, index) => {
      const path = `/cases/${index}/port`
      if (port === otherwise || port === 'error')
        return [{ path, message: `"${port}" is a port that every switch has; name it differently` }]
      return ports.indexOf(port) < index ? [{ path, message: `"${port}" is the port of case ${ports.indexOf(port)} already` }] : []
    })
  },
  output: Type.Unknown({ description: 'The input.' }),
  ports: (config) => [...portsOf(config), otherwise],
  example: {
    config: {
      cases: [
        { port: 'large', when: 'trigger.total >= 1000' },
        { port: 'small', when: 'trigger.total > 0' },
      ],
    },
    trigger: { total: 1200 },
    output: { total: 1200 },
    ports: ['large'],
  },
  run: ({ config: { cases, first_match = true }, input }) => {
    const matches = ({ when }: { when: OnDemand }, index: number): boolean => conditionOf(when(), `/cases/${index}/when`)
    const output: Json = input
    if (first_match) return { output, port: cases.find(matches)?.port ?? otherwise }
    const ports = cases.filter(matches).map(({ port }) => port)
    return { output, ports: ports.length === 0 ? [otherwise] : ports }
  },
})
