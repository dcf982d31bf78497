import { expect, test } from 'vitest'
import { shownPath } from './shown-path.ts'

const token = `mlri_${'aB3_-'.repeat(8)}xyz`

test.each([
  ['/api/v1/workflows/01900000-0000-7000-8000-000000000001', '/api/v1/workflows/01900000-0000-7000-8000-000000000001'],
  ['/hooks/acme/a%20b', '/hooks/acme/a%20b'],
  ['/hooks/acme/%zz', '/hooks/acme/%zz'],
  [`/api/v1/invitations/${token}/accept`, '/api/v1/invitations/[redacted]/accept'],
  [`/api/v1/invitations/${token.replace('mlri', 'm%6Cri')}/accept`, '/api/v1/invitations/[redacted]/accept'],
  [`/api/v1/auth/api-keys/mlr_${'a'.repeat(40)}`, '/api/v1/auth/api-keys/[redacted]'],
  [`/nowhere/mlro_${'a'.repeat(43)}/mlr_${'b'.repeat(43)}`, '/nowhere/[redacted]/[redacted]'],
])('%s is shown as %s', (path, shown) => expect(shownPath(path)).toBe(shown))
