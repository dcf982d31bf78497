import type { SettingDeclarations } from '../../../platform/config.ts'

export const oidcSettings = {
  oidc_providers: {
    env: 'MILLRACE_OIDC_PROVIDERS',
    type: 'text',
    default: null,
    secret: true,
    doc:
      'With whom people may sign in besides a password: a JSON list. ' +
      '`[{"name":"google","client_id":"…","client_secret":"…"},{"name":"acme","issuer":"https://login.acme.example","client_id":"…","client_secret":"…"}]`. ' +
      '`google`, `microsoft` (with `tenant`) and `github` are known by name; any other one needs its `issuer`. Further fields: `label`, `scopes`, `type`.',
  },
} as const satisfies SettingDeclarations
