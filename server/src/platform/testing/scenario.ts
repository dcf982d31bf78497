import { expect } from 'vitest'

interface Reply {
  readonly status: number
  readonly body: unknown
}

interface Stage {
  readonly events: () => Promise<readonly { readonly id: string; readonly name: string }[]>
}

export interface Scenario<R extends Reply> {
  /** What is done: one request, as a rule. */
  readonly when: () => Promise<R>
  readonly status: number
  /** Fields that the reply has, among others. */
  readonly body?: unknown
  /** The names of all events that this recorded, in order. Those that are not named here did not happen. */
  readonly events: readonly string[]
}

/** Does one thing and says what came of it, and what did not: the reply and exactly the events that were recorded meanwhile. */
export const scenario = async <R extends Reply>({ events }: Stage, { when, status, body, events: names }: Scenario<R>): Promise<R> => {
  const before = new Set((await events()).map(({ id }) => id))
  const reply = await when()
  expect(reply.status, JSON.stringify(reply.body)).toBe(status)
  if (body !== undefined) expect(reply.body).toMatchObject(body as object)
  const recorded = (await events()).filter(({ id }) => !before.has(id))
  expect(recorded.map(({ name }) => name)).toEqual(names)
  return reply
}
