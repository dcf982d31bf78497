import type { Call } from '../../server/src/test-app.ts'
import type { WorstInput } from './worst-inputs.ts'

export interface Outcome {
  readonly came_to: 'refused' | 'unpublishable' | 'succeeded' | 'failed'
  /** Of the problem, or of the execution's error. */
  readonly code: string | null
  /** Of the first mistake, or of the error. */
  readonly message: string | null
  /** Where: pointers of the problem or of the mistakes, or the node at which the execution failed. */
  readonly place: string | null
  readonly output: unknown
}

const stringified = (definition: unknown): string => (typeof definition === 'string' ? definition : JSON.stringify(definition))

/** Sends it, has it checked, publishes and runs it, as far as that goes. Throws when an answer is none that should be given. */
export const attempt = async (call: Call, { what, definition, input }: WorstInput): Promise<Outcome> => {
  const made = await call('POST', '/api/v1/workflows', { body: `{"name":${JSON.stringify(what)},"definition":${stringified(definition)}}` })
  if (made.status !== 201) return refusal(what, made.status, made.body)
  const { id } = made.body
  const checked = await call('POST', `/api/v1/workflows/${id}/check`)
  if (checked.status !== 200) throw new Error(`${what}: the check answered ${checked.status} ${JSON.stringify(checked.body).slice(0, 300)}`)
  const mistake = checked.body.problems.find(({ severity }: { severity: string }) => severity === 'error')
  const published = await call('POST', `/api/v1/workflows/${id}/publish`)
  if ((published.status === 201) !== (mistake === undefined))
    throw new Error(`${what}: checked ${JSON.stringify(mistake)}, published ${published.status}`)
  if (mistake !== undefined) {
    const { code } = refusal(what, published.status, published.body)
    return { came_to: 'unpublishable', code, message: mistake.message, place: mistake.path, output: null }
  }
  const { status, body } = await call('POST', `/api/v1/workflows/${id}/execute`, {
    body: JSON.stringify({ input: input ?? {}, wait_ms: 30_000 }),
  })
  if (status !== 200) throw new Error(`${what}: the execution answered ${status} ${JSON.stringify(body).slice(0, 300)}`)
  const { error = null, output } = body
  return { came_to: body.status, code: error?.code ?? null, message: error?.message ?? null, place: error?.node_id ?? null, output }
}

const refusal = (what: string, status: number, body: { code?: string; detail?: string; errors?: readonly { path: string }[] }): Outcome => {
  if (status < 400 || status >= 500 || typeof body.code !== 'string')
    throw new Error(`${what}: answered ${status} ${JSON.stringify(body).slice(0, 300)}`)
  const [first] = body.errors ?? []
  return { came_to: 'refused', code: body.code, message: body.detail ?? null, place: first?.path ?? null, output: null }
}

/** Whether it came to what it should; what is in the way, else null. */
export const mistakeIn = (
  { comes_to: [wanted, says], gives }: WorstInput,
  { came_to, code, message, place, output }: Outcome,
): string | null => {
  const said = came_to === 'unpublishable' ? (message ?? '') : (code ?? '')
  const fits = says === undefined || (typeof says === 'string' ? said === says : says.test(said))
  // Who is refused learns by which rule, and where.
  const is_clear = came_to === 'succeeded' || (code !== null && code !== '' && (place !== null || code.startsWith('http.')))
  if (gives !== undefined && JSON.stringify(output) !== gives) return `gave ${JSON.stringify(output)}`
  return came_to === wanted && fits && is_clear ? null : `came to ${came_to}, ${code}, ${JSON.stringify(message)} at ${place}`
}
