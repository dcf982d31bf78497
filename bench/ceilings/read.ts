import { randomBytes } from 'node:crypto'
import { createSigner, createVerifier } from 'fast-jwt'
import fastify from 'fastify'
import postgres from 'postgres'
import { idSource } from '../../server/src/lib/id.ts'
import { databaseAddress, serve } from './serve.ts'

// An authenticated read without scope, policies, schemas or limits: verify the token, read one row by its key, reply.
const people = 1_000
// One connection: with 64 callers each of its round trips carries many reads. Two make 60 % and four make 45 % of that on 2 cores.
const sql = postgres({ ...databaseAddress(), max: 1, onnotice: () => {} })
const newId = idSource(Date.now)
const ids = Array.from({ length: people }, newId)
await sql`
  create table if not exists people (
    id uuid primary key,
    email text not null,
    username text not null,
    name text,
    avatar_url text,
    role text not null,
    plan text not null,
    is_active boolean not null,
    email_verified boolean not null,
    settings json not null,
    created_at timestamptz(3) not null,
    updated_at timestamptz(3) not null
  )`
await sql`
  insert into people
  select id, id || '@example.com', 'user-' || id, 'A Name', null, 'user', 'free', true, true, '{}', now(), now()
  from unnest(${ids}::uuid[]) as id`
await sql`vacuum analyze people`

const key = randomBytes(32)
const sign = createSigner({ key, expiresIn: 3_600_000 })
const verify = createVerifier({ key, cache: 10_000 }) as (token: string) => { readonly sub: string }
const server = fastify()

server.get('/profile', async ({ headers }, reply) => {
  const { sub } = verify((headers.authorization ?? '').slice('Bearer '.length))
  const [person] = await sql`select * from people where id = ${sub}`
  return person ?? reply.code(404).send()
})
await serve(server, { tokens: ids.slice(0, 64).map((sub) => sign({ sub })) })
