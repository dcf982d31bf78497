import type { Json } from '../../lib/json.ts'
import type { Budget, Kind, Value } from './value.ts'
import type { Syntax } from './syntax.ts'

/**
 * What an expression may look at. One serves a whole execution: outputs are asked for when an expression names them, so that an
 * evaluation costs what it reads and not what the execution holds.
 */
export interface Scope {
  readonly trigger: Json
  readonly execution: Json
  readonly workspace: Json
  readonly vars: Json
  /** In a loop: the element, and its place from 0. */
  readonly item?: Json
  readonly index?: number
  /** In `retry_if`: what the attempt failed with. */
  readonly error?: Json
  /** Undefined for a step that has no output (yet). */
  readonly output: (node_id: string) => Json | undefined
  readonly outputs: () => { readonly [node_id: string]: Json }
}

export type Root = 'trigger' | 'steps' | 'execution' | 'workspace' | 'vars' | 'item' | 'index' | 'error'

/** One evaluation. `at` is the place in the text that a fault without a place of its own is blamed on. */
export interface Frame extends Budget {
  readonly scope: Scope
  readonly locals: Value[]
  at: number
}

export type Evaluate = (frame: Frame) => Value

/** A part of an expression, ready to run. */
export interface Part {
  readonly run: Evaluate
  /** Null: known only when it runs. */
  readonly kind: Kind | null
}

/** A mention of `steps.<id>`; null: which step is decided while running. */
export interface Reference {
  readonly step: string | null
  readonly offset: number
  /** Asked for with `.?` or `has()`, so that it may well be missing. */
  readonly optional: boolean
}

/** Names bound by macros around a part, and the slot of each. */
export type Locals = ReadonlyMap<string, number>

/** What the parts of one expression share while it is compiled. */
export interface Compiling {
  readonly roots: ReadonlySet<Root>
  readonly references: Reference[]
  readonly compile: (syntax: Syntax, locals: Locals) => Part
  /** A new slot for a bound name. */
  readonly slot: () => number
}
