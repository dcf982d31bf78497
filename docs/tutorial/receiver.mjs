// A small receiver for the tutorial: shows what it is sent and counts it.
//
//   node docs/tutorial/receiver.mjs [port, 4010] [seconds that it takes to answer, 0]
import { createServer } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'

const [port = 4010, seconds = 0] = process.argv.slice(2).map(Number)
const seen = new Map()

createServer(async (request, response) => {
  let text = ''
  for await (const chunk of request) text += chunk
  // The same key means the same call, made again: a receiver that counts must not count it twice.
  const key = request.headers['idempotency-key'] ?? crypto.randomUUID()
  if (seen.has(key)) console.log(`Again, and not counted: ${key}`)
  else {
    seen.set(key, seen.size + 1)
    console.log(`${request.method} ${request.url}  ${text}`)
  }
  await pause(seconds * 1000)
  response.writeHead(200, { 'content-type': 'application/json' })
  response.end(JSON.stringify({ announcement: seen.get(key) }))
}).listen(port, '127.0.0.1', () => console.log(`Listening on http://127.0.0.1:${port}`))
