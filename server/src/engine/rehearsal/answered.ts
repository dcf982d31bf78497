import type { EffectNode, NodeInput, NodeIo, NodeResult, NodeType } from '../node.ts'

/** What an effect gives without being done; null: it is to be done. */
export type Answer = (type: EffectNode, input: NodeInput<never>, io: NodeIo) => Promise<NodeResult | null>

/** The same node types, each effect of them asking first whether it is to be done. Whatever else is said of a type stays. */
export const answered = (nodeTypes: ReadonlyMap<string, NodeType>, answer: Answer): ReadonlyMap<string, NodeType> =>
  new Map([...nodeTypes].map(([name, type]) => [name, type.kind === 'effect' ? asking(type, answer) : type]))

const asking = (type: EffectNode, answer: Answer): NodeType => ({
  ...type,
  run: async (input, io) => (await answer(type, input, io)) ?? type.run(input, io),
})
