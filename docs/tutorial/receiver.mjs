// A small receiver for the tutorial: shows what it is sent and counts it. `node docs/tutorial/receiver.mjs [port]`
import { createServer } from 'node:http'

const port = Number(process.argv[2] ?? 4010)
const seen = new Map()

createServer(async (request, response) => {
  let text = ''
  for await (const chunk of request) text += chunk
  // The same key means the same call, tried again: a receiver that counts must not count it twice.
  const key = request.headers['idempotency-key'] ?? crypto.randomUUID()
  if (!seen.has(key)) {
    seen.set(key, seen.size + 1)
    console.log(`${request.method} ${request.url}  ${text}`)
  }
  response.writeHead(200, { 'content-type': 'application/json' })
  response.end(JSON.stringify({ announcement: seen.get(key) }))
}).listen(port, '127.0.0.1', () => console.log(`Listening on http://127.0.0.1:${port}`))
