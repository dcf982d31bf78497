import type { Sql } from 'postgres'
import type { Logger } from '../../platform/log.ts'
import type { Running } from '../contract.ts'
import { isUnreadable } from '../journal/large-records.ts'
import { readFinished, type ReplySearch, replySearch } from '../outcome.ts'
import type { JournalSource } from '../read-records.ts'
import type { Listener } from './live.ts'
import type { Watchers } from './watchers.ts'

/** Executions that were started here and queued: whichever process takes one up, whoever waits for it here is told. */
export interface Afar {
  /** As its starter sees it: it is looked after from when somebody asks for its reply or its end, and costs nothing before. */
  readonly follow: (running: Running, listener: Listener) => Running
  readonly stop: () => void
}

export interface AfarOptions {
  readonly sql: Sql
  readonly source: JournalSource
  readonly log: Logger
  readonly watchers: Watchers
}

/** Between two looks while somebody waits. */
const look_ms = 100
/** Executions of one look; of more, others come next time. */
const most_looked_at = 200

interface Followed {
  readonly execution_id: string
  readonly listener: Listener
  readonly reply: ReplySearch
}

interface Desk {
  readonly options: AfarOptions
  readonly followed: Map<string, Followed>
  looking: boolean
  stopped: boolean
}

export const openAfar = (options: AfarOptions): Afar => {
  const desk: Desk = { options, followed: new Map(), looking: false, stopped: false }
  return {
    follow: (running, listener) => {
      const { execution_id, accepted } = running
      const from = <Promised>(promise: Promise<Promised>): Promise<Promised> => {
        add(desk, running, listener)
        return promise
      }
      return {
        execution_id,
        accepted,
        get replied() {
          return from(running.replied)
        },
        get finished() {
          return from(running.finished)
        },
      }
    },
    stop: () => {
      desk.stopped = true
      desk.followed.clear()
    },
  }
}

const add = (desk: Desk, { execution_id, finished }: Running, listener: Listener): void => {
  const { options, followed } = desk
  if (desk.stopped || followed.has(execution_id)) return
  followed.set(execution_id, { execution_id, listener, reply: replySearch(options.source, execution_id) })
  // Where this process takes it up, it tells at once.
  options.watchers.add(execution_id, listener)
  const forget = (): void => void followed.delete(execution_id)
  finished.then(forget, forget)
  lookSoon(desk)
}

const lookSoon = (desk: Desk): void => {
  if (desk.looking || desk.stopped || desk.followed.size === 0) return
  desk.looking = true
  setTimeout(() => {
    void look(desk).finally(() => {
      desk.looking = false
      lookSoon(desk)
    })
  }, look_ms).unref()
}

const look = async (desk: Desk): Promise<void> => {
  const { followed } = desk
  const now = [...followed.values()].slice(0, most_looked_at)
  for (const each of now.length < followed.size ? now : []) {
    followed.delete(each.execution_id)
    followed.set(each.execution_id, each)
  }
  try {
    const begun = await desk.options.sql<{ id: string; ended: boolean }[]>`
      select id, finished_at is not null as ended
      from executions
      where id = any(${now.map((each) => each.execution_id)}::uuid[]) and status <> 'queued'`
    for (const { id, ended } of begun) await tell(desk, id, ended)
  } catch (error) {
    desk.options.log.warn({ err: error }, 'executions that others may hold could not be looked after; it will be tried again')
  }
}

const tell = async ({ options, followed }: Desk, id: string, ended: boolean): Promise<void> => {
  const each = followed.get(id)
  if (each === undefined) return
  try {
    const reply = await each.reply()
    if (reply !== undefined) each.listener.replied(reply)
    const finished = ended ? await readFinished(options.source, id) : null
    if (finished !== null) each.listener.finished(finished)
  } catch (error) {
    if (!isUnreadable(error)) throw error
    each.listener.refused(error)
  }
}
