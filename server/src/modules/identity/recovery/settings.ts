/** Spread into the settings of identity. */
export const recoverySettings = {
  magic_link: {
    env: 'MILLRACE_MAGIC_LINK',
    type: 'flag',
    default: true,
    doc: 'Whether an account can be signed in to with a link that is sent to its address. A link makes no account, and a second factor is still asked for.',
  },
  require_verified_email: {
    env: 'MILLRACE_REQUIRE_VERIFIED_EMAIL',
    type: 'flag',
    default: false,
    doc: 'Whether an account can be signed in to only once its address was confirmed. Registering then signs nobody in: the link in the mail comes first. Sessions from before the setting was turned on go on.',
  },
} as const
