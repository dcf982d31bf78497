import type { Cel } from './cel.ts'
import type { Budget } from './pieces.ts'

/** Where a value stands that is there when the expression runs: `steps.fetch.output.body`, which is CEL as well as JavaScript. */
export interface Place {
  readonly path: string
  /** Fields that have another name here: `{ statusCode: 'status' }`; null for one that there is not. */
  readonly fields?: { readonly [name: string]: string | null }
}

/** What one node of the other workflow gave, as it can be reached from another. */
export interface Given {
  /** The item that belongs to the current one; null when it cannot be told which that is. */
  readonly item: Place | null
  /** All items, as one list; null when they cannot be seen from here. */
  readonly all: Cel | null
  /** Expression of whether it ran. */
  readonly ran: string | null
}

/** What the names of an expression stand for at one node. */
export interface Names {
  readonly json: Place
  /** All items that the node gets, as one list. */
  readonly items: Cel
  readonly index: string
  readonly zone: string | null
  readonly workflow: { readonly id: string | null; readonly name: string; readonly active: boolean }
  /** The nodes before this one: name, or null for none. */
  readonly previous: string | null
  readonly node: (name: string) => Given | undefined
  readonly budget: Budget
}
