import { defineConsumer } from '../../../platform/events/consumer.ts'
import { requests, sendRequested } from './requested.ts'

/** Sends what people who may not be signed in asked for, after they have had their answer. */
export const sendLinks = defineConsumer({
  name: 'identity.send_links',
  delivery: 'durable',
  events: requests,
  handle: async (app, events) => {
    for (const event of events) await sendRequested(app, event)
  },
})
