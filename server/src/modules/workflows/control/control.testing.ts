import { Type } from 'typebox'
import { expect, vi } from 'vitest'
import type { JsonObject } from '../../../lib/json.ts'
import { modules } from '../../../modules.ts'
import { defineModule, type Module } from '../../../platform/module.ts'
import { effect, type NodeInput, NodeFailure, type NodeIo, type NodeResult } from '../../../engine/node.ts'
import type { TestReply, TestUser } from '../../../test-app.ts'

/** What the effects of a test do; each test says. */
export type Work = (input: NodeInput<{ readonly name: string }>, io: NodeIo) => Promise<NodeResult>

export interface Workshop {
  work: Work
  /** Paths of the effects that were begun, in order. */
  readonly begun: string[]
  /** Those of the product, and one whose effects do what the test says. */
  readonly modules: readonly Module[]
}

export const workshop = (): Workshop => {
  const shop: Workshop = {
    work: ({ config }) => Promise.resolve({ output: config.name }),
    begun: [],
    modules: [
      ...modules,
      defineModule({
        name: 'effects',
        nodes: [
          effect({
            type: 'test.effect',
            title: 'Effect',
            description: 'Does what the test says.',
            icon: 'bolt',
            config: Type.Object({ name: Type.String() }),
            output: Type.Unknown(),
            run: (input, io) => {
              shop.begun.push(io.path)
              return shop.work(input, io)
            },
          }),
        ],
      }),
    ],
  }
  return shop
}

export const does = (id: string, more: object = {}): JsonObject => ({ id, type: 'test.effect', config: { name: id }, ...more })

/** One after the other, behind a trigger by hand. */
export const chain = (nodes: readonly JsonObject[], settings: JsonObject = {}) => {
  const all: readonly JsonObject[] = [{ id: 'start', type: 'trigger.manual' }, ...nodes]
  return { nodes: all, edges: all.slice(1).map(({ id }, index) => ({ from: all[index]?.['id'], to: id })), settings }
}

export const broken = (): Promise<never> => Promise.reject(new NodeFailure({ code: 'test.broken', message: 'It is broken' }))

export const path = '/api/v1/workflows/executions'

export const execute = async (user: TestUser, workflow_id: string, input: unknown = {}): Promise<string> => {
  const { status, body } = await user.call('POST', `/api/v1/workflows/${workflow_id}/execute`, { body: { input } })
  expect([status, body.code]).toEqual([202, undefined])
  return body.id as string
}

export const read = async (user: TestUser, id: string): Promise<TestReply['body']> =>
  (await user.call('GET', `${path}/${id}?payloads=true`)).body

export const reaches = (user: TestUser, id: string, status: string): Promise<TestReply['body']> =>
  vi.waitFor(
    async () => {
      const execution = await read(user, id)
      expect(execution).toMatchObject({ status })
      return execution
    },
    { timeout: 15_000, interval: 40 },
  )

/** Path, attempt and status of each step, in the order of the journal. */
export const told = ({ steps }: TestReply['body']): readonly string[] =>
  steps.map((step: { path: string; attempt: number; status: string }) => `${step.path}#${step.attempt} ${step.status}`)
