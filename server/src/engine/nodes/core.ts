import type { NodeType } from '../node.ts'
import { aggregateNode } from './data-aggregate.ts'
import { codeNode } from './data-code.ts'
import { dedupeNode } from './data-dedupe.ts'
import { filterNode } from './data-filter.ts'
import { mapNode } from './data-map.ts'
import { setNode } from './data-set.ts'
import { sortNode } from './data-sort.ts'
import { ifNode } from './flow-if.ts'
import { loopNode, whileNode } from './flow-loop.ts'
import { mergeNode } from './flow-merge.ts'
import { stopNode } from './flow-stop.ts'
import { switchNode } from './flow-switch.ts'
import { waitNode } from './flow-wait.ts'
import { httpRequest } from './http-request.ts'
import { respondNode } from './http-respond.ts'
import { manualTrigger } from './trigger-manual.ts'
import { eventTrigger } from './trigger-event.ts'
import { formTrigger } from './trigger-form.ts'
import { failureTrigger } from './trigger-failure.ts'
import { scheduleTrigger } from './trigger-schedule.ts'
import { webhookTrigger } from './trigger-webhook.ts'

/** The node types that the engine brings along; modules add their own. */
export const coreNodes: readonly NodeType[] = [
  manualTrigger,
  webhookTrigger,
  formTrigger,
  scheduleTrigger,
  eventTrigger,
  failureTrigger,
  setNode,
  mapNode,
  filterNode,
  sortNode,
  dedupeNode,
  aggregateNode,
  codeNode,
  ifNode,
  switchNode,
  mergeNode,
  loopNode,
  whileNode,
  stopNode,
  waitNode,
  httpRequest,
  respondNode,
]
