import { expect } from 'vitest'

interface Reply {
  readonly status: number
  readonly body: unknown
  readonly headers?: Headers
}

interface Recorded {
  readonly id: string
  readonly name: string
}

/** Whoever sends requests: `mill.call`, or a user's own. */
export type Sender<R extends Reply> = (
  method: string,
  path: string,
  request?: { readonly body?: unknown; readonly headers?: { readonly [name: string]: string } },
) => Promise<R>

/** A request as a value. */
export interface ScenarioRequest<R extends Reply> {
  readonly by: Sender<R>
  readonly method: string
  readonly path: string
  readonly body?: unknown
  readonly headers?: { readonly [name: string]: string }
}

interface Stage {
  /** All events recorded so far, in order. */
  readonly events: () => Promise<readonly Recorded[]>
}

export interface Scenario<R extends Reply> {
  /** What is done: one request, as a rule. */
  readonly when: (() => Promise<R>) | ScenarioRequest<R>
  readonly status: number
  /** Fields that the reply has, among others. */
  readonly body?: unknown
  /** Headers that the reply has; null for one that it must not have. */
  readonly headers?: { readonly [name: string]: string | RegExp | null }
  /** Words that stand nowhere in the body: a secret, another's name. */
  readonly not_said?: readonly string[]
  /**
   * All events that this recorded: their names in order, or how often each one came. Those that are not named did not happen,
   * which `'*': 0` says aloud; any other number there is how many more there were.
   */
  readonly events: readonly string[] | { readonly [name: string]: number }
}

/** Does one thing and says what came of it, and what did not: the reply and exactly the events that were recorded meanwhile. */
export const scenario = async <R extends Reply>({ events }: Stage, expected: Scenario<R>): Promise<R> => {
  const before = new Set((await events()).map(({ id }) => id))
  const reply = await run(expected.when)
  const said = typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body)
  expect(reply.status, said).toBe(expected.status)
  if (expected.body !== undefined) expect(reply.body).toMatchObject(expected.body as object)
  for (const [name, value] of Object.entries(expected.headers ?? {})) {
    const found = reply.headers?.get(name) ?? null
    if (value instanceof RegExp) expect(found, name).toMatch(value)
    else expect(found, name).toBe(value)
  }
  for (const word of expected.not_said ?? []) expect(said).not.toContain(word)
  const recorded = (await events()).filter(({ id }) => !before.has(id)).map(({ name }) => name)
  if (isList(expected.events)) expect(recorded).toEqual(expected.events)
  else expectCounts(recorded, expected.events)
  return reply
}

const run = <R extends Reply>(when: Scenario<R>['when']): Promise<R> => {
  if (typeof when === 'function') return when()
  const { by, method, path, ...request } = when
  return by(method, path, request)
}

const isList = (events: Scenario<Reply>['events']): events is readonly string[] => Array.isArray(events)

const expectCounts = (recorded: readonly string[], { '*': others = 0, ...named }: { readonly [name: string]: number }): void => {
  const counts: { [name: string]: number } = Object.fromEntries(Object.keys(named).map((name) => [name, 0]))
  const unnamed: string[] = []
  for (const name of recorded) {
    if (name in counts) counts[name] = (counts[name] as number) + 1
    else unnamed.push(name)
  }
  expect(counts, 'events').toEqual(named)
  expect(unnamed, 'other events').toHaveLength(others)
}
