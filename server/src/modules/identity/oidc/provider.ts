/** What a provider vouches for, checked and in the form in which it is stored. */
export interface Asserted {
  /** With `subject` the identity. An address never is. */
  readonly issuer: string
  readonly subject: string
  /** A well-formed address, lower case, or null. */
  readonly email: string | null
  /** The issuer says in so many words that the address is theirs. */
  readonly email_verified: boolean
  readonly name: string | null
}

/** The secrets of one sign-in. The first two travel through the browser, the third never does. */
export interface FlowSecrets {
  readonly state: string
  readonly nonce: string
  readonly verifier: string
}

/** Where people sign in. Errors: 503 `auth.provider_unavailable`, 502 `auth.provider_failed`, 403 `auth.provider_denied`. */
export interface Provider {
  readonly name: string
  readonly label: string
  /** The address that the browser is sent to. */
  readonly authorizationUrl: (secrets: FlowSecrets, redirect_uri: string) => Promise<URL>
  /** Who came back, from the parameters that the browser brought to `redirect_uri`. */
  readonly identify: (secrets: FlowSecrets, redirect_uri: string, parameters: URLSearchParams) => Promise<Asserted>
}
