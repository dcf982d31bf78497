import { Type, type Static } from 'typebox'

const Id = Type.String({ format: 'uuid' })
const Time = Type.String({ format: 'date-time' })
const closed = { additionalProperties: false } as const

const Name = Type.String({ minLength: 1, maxLength: 200, description: 'For you to tell what uses it.' })
const Permissions = Type.Array(Type.String({ minLength: 1, maxLength: 100 }), {
  minItems: 1,
  maxItems: 200,
  uniqueItems: true,
  description: 'Of those that you have yourself in this workspace. At each request the key may do what you may do then, of these.',
})
const Expiry = Type.Union([Time, Type.Null()], { description: 'When it stops working; null: never.' })
const Quota = Type.Union([Type.Integer({ minimum: 1, maximum: 1_000_000 }), Type.Null()], {
  description: 'Requests per hour for this key alone, besides those of the plan; null: no more than that.',
})

export const NewApiKey = Type.Object(
  { name: Name, permissions: Permissions, expires_at: Type.Optional(Expiry), requests_per_hour: Type.Optional(Quota) },
  { ...closed, title: 'NewApiKey' },
)
export type NewApiKey = Static<typeof NewApiKey>

/** A field that is given replaces the stored one whole; a field that is not given stays. */
export const ApiKeyChange = Type.Object(
  {
    name: Type.Optional(Name),
    permissions: Type.Optional(Permissions),
    expires_at: Type.Optional(Expiry),
    requests_per_hour: Type.Optional(Quota),
  },
  { ...closed, minProperties: 1, title: 'ApiKeyChange' },
)
export type ApiKeyChange = Static<typeof ApiKeyChange>

const fields = {
  id: Id,
  prefix: Type.String({ description: 'How the key begins. It names the key and is no secret.' }),
  name: Type.String(),
  workspace_id: Type.String({ format: 'uuid', description: 'The workspace it was made in, and works in.' }),
  permissions: Type.Array(Type.String()),
  expires_at: Type.Union([Time, Type.Null()]),
  requests_per_hour: Type.Union([Type.Integer(), Type.Null()]),
  last_used_at: Type.Union([Time, Type.Null()], { description: 'Up to about a minute behind.' }),
  last_used_address: Type.Union([Type.String(), Type.Null()]),
  created_at: Time,
  updated_at: Time,
}

export const ApiKey = Type.Object(fields, { title: 'ApiKey' })
export type ApiKey = Static<typeof ApiKey>

export const ApiKeyWithSecret = Type.Object(
  { ...fields, key: Type.String({ description: 'Shown this once. What is kept of it is a hash.' }) },
  { title: 'ApiKeyWithSecret' },
)

export const OwnedApiKey = Type.Object(
  { ...fields, user: Type.Object({ id: Id, email: Type.String(), username: Type.String() }) },
  { title: 'OwnedApiKey' },
)
