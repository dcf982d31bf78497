/** A request as the load generator sends it, again and again. */
export interface LoadRequest {
  readonly method: string
  /** Path and query. */
  readonly path: string
  readonly headers: { readonly [name: string]: string }
  /** Sent as it is; null for none. */
  readonly body: string | null
  readonly carries?: Carried
  readonly expect: {
    readonly status: number
    /** The reply's body to the letter; null when only its status is looked at. */
    readonly body: string | null
  }
}

/**
 * For what is good for one use: a field of the JSON reply whose text takes the place of what stood in the body of the request, for the next time
 * that this request is sent. It always has the same length.
 */
export interface Carried {
  readonly field: string
  /** How it stands in the first body. */
  readonly first: string
}

export interface LoadOptions {
  readonly host: string
  readonly port: number
  /** Connections, each with one request under way at a time. Client n begins with request n of the list and goes round. */
  readonly clients: number
  readonly requests: readonly LoadRequest[]
  readonly warm_up_s: number
  readonly measured_s: number
  /** Requests per second of all clients together, sent by the clock whether or not the server keeps up; null: as fast as replies come. */
  readonly pace_per_s: number | null
  /** Addresses of this machine that the clients' connections come from, in turn; empty: the system's choice. */
  readonly from_addresses: readonly string[]
  /** Then a client connects anew, from the next address; null: never. */
  readonly requests_per_connection: number | null
}

export interface LoadResult {
  /** Replies within the measured time, over that time. Wrong ones are not counted. */
  readonly requests_per_s: number
  /** Of requests sent within the measured time. When paced, from the moment a request was due. */
  readonly p50_ms: number
  readonly p90_ms: number
  readonly p99_ms: number
  readonly max_ms: number
  /** Replies by status over the whole run, warm-up included, so that they can be reconciled with what the server has stored. */
  readonly statuses: { readonly [status: string]: number }
  /** Replies with another status or body than expected, over the whole run. */
  readonly wrong: number
  readonly first_wrong: string | null
  /** Requests without a reply, by error code, over the whole run. */
  readonly errors: { readonly [code: string]: number }
  /** CPU seconds of the load generator itself, over the whole run. */
  readonly elsewhere_s: number
}
