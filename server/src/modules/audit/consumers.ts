import { defineConsumer } from '../../platform/events/consumer.ts'
import * as audit from './audit.ts'
import { auditedEvents } from './entry.ts'

/** Enters every event that is for the audit, from the first one that the server ever recorded. */
export const enter = defineConsumer({
  name: 'audit.enter',
  delivery: 'durable',
  since: 'beginning',
  events: auditedEvents,
  handle: audit.enter,
})
