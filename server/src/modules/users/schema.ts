import { Type, type Static } from 'typebox'

export const Role = Type.Union([Type.Literal('admin'), Type.Literal('user')])
export const Plan = Type.Union([Type.Literal('free'), Type.Literal('basic'), Type.Literal('premium'), Type.Literal('enterprise')])

/**
 * What a browser takes for an e-mail address (HTML Living Standard, "valid e-mail address"): ASCII only, so that two
 * addresses that look alike are alike; an international domain is given in punycode.
 */
export const emailPattern =
  "^[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$"

export const Email = Type.String({
  minLength: 3,
  maxLength: 254,
  pattern: emailPattern,
  description: 'Upper and lower case are the same address; kept and shown in lower case.',
})

export const Username = Type.String({
  minLength: 2,
  maxLength: 39,
  pattern: '^[a-zA-Z0-9](?:[a-zA-Z0-9._-]*[a-zA-Z0-9])?$',
  description: 'Upper and lower case are the same name; kept and shown in lower case.',
})

export const DisplayName = Type.String({ minLength: 1, maxLength: 200 })

const Nullable = <T extends ReturnType<typeof Type.String>>(type: T) => Type.Union([type, Type.Null()])

export const User = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    email: Type.String(),
    username: Type.String(),
    name: Nullable(Type.String()),
    avatar_url: Nullable(Type.String()),
    role: Role,
    plan: Plan,
    is_active: Type.Boolean(),
    email_verified: Type.Boolean(),
    settings: Type.Record(Type.String(), Type.Unknown()),
    created_at: Type.String({ format: 'date-time' }),
    updated_at: Type.String({ format: 'date-time' }),
  },
  { title: 'User' },
)
export type User = Static<typeof User>

/** A field that is given replaces the stored one whole; `settings` too. A field that is not given stays. */
export const ProfileChange = Type.Object(
  {
    name: Type.Optional(Nullable(DisplayName)),
    username: Type.Optional(Username),
    avatar_url: Type.Optional(Nullable(Type.String({ maxLength: 2048, pattern: '^https?://[^\\s]+$' }))),
    settings: Type.Optional(Type.Record(Type.String({ maxLength: 200 }), Type.Unknown(), { maxProperties: 200 })),
  },
  { additionalProperties: false, minProperties: 1, title: 'ProfileChange' },
)
export type ProfileChange = Static<typeof ProfileChange>
