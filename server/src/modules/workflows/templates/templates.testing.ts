import { expect, vi } from 'vitest'
import type { Json } from '../../../lib/json.ts'
import type { TestReply, TestUser } from '../../../test-app.ts'

/** Makes a workflow from a template and publishes it as it is; answers with its id. */
export const begin = async (user: TestUser, template: string, values: { readonly [name: string]: Json } = {}): Promise<string> => {
  const made = await user.call('POST', `/api/v1/workflows/templates/${template}/use`, { body: { values } })
  expect(made.status, JSON.stringify(made.body)).toBe(201)
  const published = await user.call('POST', `/api/v1/workflows/${made.body.id}/publish`)
  expect(published.status, JSON.stringify(published.body)).toBe(201)
  return made.body.id as string
}

export const executionsOf = async (user: TestUser, workflow_id: string): Promise<readonly TestReply['body'][]> => {
  const { body } = await user.call('GET', `/api/v1/workflows/${workflow_id}/executions?order=asc`)
  const all = (body.items as { id: string }[]).map(({ id }) => user.call('GET', `/api/v1/workflows/executions/${id}?payloads=true`))
  return (await Promise.all(all)).map((reply) => reply.body)
}

/** The executions of a workflow once so many of them have ended. */
export const ended = async (user: TestUser, workflow_id: string, count = 1): Promise<readonly TestReply['body'][]> =>
  vi.waitFor(
    async () => {
      const all = await executionsOf(user, workflow_id)
      const over = all.filter(({ finished_at }) => finished_at !== null)
      expect(over.length, JSON.stringify(all.map(({ status, error }) => ({ status, error })))).toBe(count)
      return over
    },
    { timeout: 20_000, interval: 50 },
  )

export const connect = async (user: TestUser, type: string, config: object, credentials: object = {}): Promise<string> => {
  const reply = await user.call('POST', '/api/v1/users/integrations', { body: { type, name: `An ${type}`, config, credentials } })
  expect(reply.status, JSON.stringify(reply.body)).toBe(201)
  return reply.body.id as string
}

export const keepSecret = async (user: TestUser, name: string, value: string): Promise<string> => {
  const reply = await user.call('POST', '/api/v1/workflows/secrets', { body: { name, value } })
  expect(reply.status, JSON.stringify(reply.body)).toBe(201)
  return reply.body.id as string
}
