import type { Json, JsonObject } from '../../../../lib/json.ts'
import type { N8nNode } from './file.ts'
import type { Place } from './javascript/names.ts'

/** Where something leaves a step. */
export interface Port {
  readonly step: string
  readonly port: string
}

/** What is added to the definition. */
export interface NewStep {
  readonly type: string
  readonly config: JsonObject
  /** Behind the id of the node, where it is not the one that does its work. */
  readonly suffix?: string
  /** It may fail for reasons of its own: retries and what is to be done about errors go here. */
  readonly works?: true
}

/** What a node gives through one of its outputs. */
export interface Gives {
  readonly from: Port
  readonly place: Place
  readonly many?: boolean
}

export interface Input {
  readonly place: Place
  readonly many: boolean
  /** CEL that gives the items as a list, empty where the branch was not taken. */
  readonly list: string
}

/** What an adapter has at hand where a node of n8n is to be placed. */
export interface Site {
  readonly node: N8nNode
  readonly parameters: JsonObject
  /** The current item; for a node that takes all, the one item that there is. */
  readonly place: Place
  /** It gets one item. */
  readonly one: boolean
  /** CEL of all items as a list. */
  readonly list: string
  readonly inputs: readonly Input[]
  /** The inputs exclude each other: at most one of them is taken in an execution. */
  readonly exclusive: boolean
  readonly zone: string | null
  /** A parameter as the value of a config: expressions become templates. */
  readonly value: (path: string) => Json
  /** Any part of a parameter, told by where it stands. */
  readonly made: (value: Json | undefined, path: string) => Json
  /** The same as CEL. */
  readonly cel: (value: Json | undefined, path: string) => string
  /** JavaScript of the file, with all that it could name, as the source of a code step. */
  readonly program: (code: string, mode: 'all' | 'each') => string
  /** Adds a step behind what was added before; its id. */
  readonly step: (step: NewStep) => string
  /** Adds one that stands beside the first: another trigger. */
  readonly beside: (step: NewStep) => string
  readonly note: (text: string) => void
  readonly changed: (text: string) => void
  readonly left: (text: string) => void
  /** Nodes that get what this one gives. */
  readonly next: readonly N8nNode[]
  /** What it gave when the file was saved. */
  readonly pinned: Json | undefined
}

export interface Adapter {
  /** `item`: it is done for each item. `all`: once, for all of them. */
  readonly takes: 'item' | 'all' | 'trigger'
  /** It may give more items than it gets. */
  readonly multiplies?: true
  /** It goes on through one of its outputs, never through two. */
  readonly chooses?: true
  readonly make: (site: Site) => readonly (Gives | null)[]
  /** What a recorded item is as the output of the step. */
  readonly pin?: (items: readonly Json[]) => Json
}
