import type { NodeType } from '../node.ts'
import { setNode } from './data-set.ts'
import { ifNode } from './flow-if.ts'
import { mergeNode } from './flow-merge.ts'
import { httpRequest } from './http-request.ts'
import { respondNode } from './http-respond.ts'
import { manualTrigger } from './trigger-manual.ts'
import { webhookTrigger } from './trigger-webhook.ts'

/** The node types that the engine brings along; modules add their own. */
export const coreNodes: readonly NodeType[] = [manualTrigger, webhookTrigger, setNode, ifNode, mergeNode, httpRequest, respondNode]
