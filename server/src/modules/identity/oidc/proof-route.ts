import { busy } from '../errors.ts'
import { errors as mfaErrors } from '../mfa/errors.ts'
import { errors as recoveryErrors } from '../recovery/errors.ts'

/** What a route can answer that asks once more who somebody is. */
export const proofErrors = [
  recoveryErrors.reauthentication_required,
  recoveryErrors.password_wrong,
  mfaErrors.mfa_invalid,
  mfaErrors.mfa_blocked,
  busy.too_many_attempts,
  busy.busy,
]

export const perUser = [{ name: 'identities', quota: 60, window_s: 600, per: 'user' }] as const
