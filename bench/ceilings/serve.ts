import type { FastifyInstance } from 'fastify'

/** How a bare server reaches the database: the argument that its process is started with. */
export interface DatabaseAddress {
  /** The directory of the socket. */
  readonly host: string
  readonly port: number
  readonly user: string
  readonly database: string
}

export const databaseAddress = (): DatabaseAddress => JSON.parse(process.argv[2] ?? '') as DatabaseAddress

/** Listens on a free port, tells it to the parent as a line of JSON with `told`, and ends with it. */
export const serve = async (server: FastifyInstance, told: object = {}): Promise<void> => {
  await server.listen({ host: '127.0.0.1', port: 0 })
  const address = server.server.address()
  if (address === null || typeof address === 'string') throw new Error('not listening on a port')
  process.stdout.write(`${JSON.stringify({ port: address.port, ...told })}\n`)
  process.stdin.on('end', () => process.exit()).resume()
}
