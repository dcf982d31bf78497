import type { OutboundRequest, OutboundResponse } from './outbound.ts'

/** A credential that somebody has stored, as a request uses it. What it holds is not to be seen. */
export interface Credential {
  /** The request with the credential in it. Throws where the request goes elsewhere than the credential may. */
  readonly apply: (request: OutboundRequest) => OutboundRequest
  /** The answer without the credential, should the other side have said it back. */
  readonly scrub: (answer: OutboundResponse) => OutboundResponse
}
