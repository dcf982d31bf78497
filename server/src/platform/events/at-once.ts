import type { App } from '../context.ts'
import type { Module } from '../module.ts'
import { eventsOf, type News } from './consumer.ts'
import { filterOf, matches } from './log.ts'

/** Tells consumers of what was just committed. Never rejects: what fails is logged, and told again by the log. */
export type TellAtOnce = (app: App, news: readonly News[]) => Promise<void>

/** For the consumers that must know before the caller has an answer. */
export const tellerOf = (modules: readonly Module[]): TellAtOnce => {
  const listeners = modules
    .flatMap(({ consumers = [] }) => consumers)
    .flatMap((consumer) =>
      consumer.atOnce ? [{ name: consumer.name, tell: consumer.atOnce, filter: filterOf(eventsOf(consumer, modules)) }] : [],
    )
  return async (app, news) => {
    for (const { name, tell, filter } of listeners) {
      const own = news.filter((event) => matches(filter, event.name))
      if (own.length === 0) continue
      try {
        await tell(app, own)
      } catch (error) {
        app.log.error({ err: error, consumer: name }, 'a consumer failed right after a commit; the commit stands')
      }
    }
  }
}
