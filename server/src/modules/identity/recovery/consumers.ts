import { defineConsumer } from '../../../platform/events/consumer.ts'
import { passwordResetRequested } from './events.ts'
import * as recovery from './recovery.ts'

/** Sends what people who may not be signed in asked for, after they have had their answer. */
export const sendLinks = defineConsumer({
  name: 'identity.send_links',
  delivery: 'durable',
  events: [passwordResetRequested.name],
  handle: async (app, events) => {
    for (const event of events) await recovery.sendRequested(app, event)
  },
})
