import fastify from 'fastify'
import postgres from 'postgres'
import { idSource } from '../../server/src/lib/id.ts'
import { createRecords, groupCommit } from './group-commit.ts'
import { databaseAddress, serve } from './serve.ts'

// The webhook's work without an engine: parse, compute, one durable row, reply.
const sql = postgres({ ...databaseAddress(), max: 2, onnotice: () => {} })
await createRecords(sql)
const commit = groupCommit(sql)
const newId = idSource(Date.now)
const server = fastify()

interface Order {
  readonly name: string
  readonly price: number
  readonly quantity: number
}

server.post<{ Body: Order }>('/orders', async ({ body }) => {
  const output = { total: body.price * body.quantity, greeting: `Hello ${body.name}` }
  await commit({ id: newId(), seq: 0, body: JSON.stringify({ payload: body, output }) })
  return output
})
await serve(server)
