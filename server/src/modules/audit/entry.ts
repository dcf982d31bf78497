import { isUuid } from '../../lib/id.ts'
import type { EventDeclaration, RecordedEvent } from '../../platform/events/event.ts'
import type { Module } from '../../platform/module.ts'
import { redact } from '../../platform/redact.ts'

/** An entry as the writer knows it; its place in the chain is given by the database. */
export interface NewEntry {
  readonly id: string
  readonly workspace_id: string | null
  readonly at: string
  readonly action: string
  readonly actor_type: string
  readonly actor_id: string | null
  readonly impersonator_id: string | null
  readonly target_type: string | null
  readonly target_id: string | null
  readonly request_id: string | null
  readonly address: string | null
  readonly user_agent: string | null
  /** JSON texts. */
  readonly data: string
  readonly before: string | null
  readonly after: string | null
}

/** The names of the events that are for the audit. */
export const auditedEvents = (modules: readonly Module[]): readonly string[] =>
  modules.flatMap(({ events = [] }) => events.filter(({ audit }) => audit !== false).map(({ name }) => name))

/** Of each event, which fields may name what it is about, the likeliest first. */
export type Targets = ReadonlyMap<string, readonly string[]>

/**
 * An event is about the account that it names, so that all that happened to somebody is found by their id; else about the first other thing
 * that it names, in the order of its declaration; else about the workspace.
 */
export const targetsOf = (modules: readonly Module[]): Targets =>
  new Map(modules.flatMap(({ events = [] }) => events.map((event): [string, readonly string[]] => [event.name, targetFields(event)])))

const targetFields = ({ data, target }: EventDeclaration): readonly string[] => {
  const { properties = {} } = data as { readonly properties?: object }
  const ids = Object.keys(properties).filter((name) => name.endsWith('_id'))
  const others = ids.filter((name) => name !== 'user_id' && name !== 'workspace_id')
  const likeliest = ['user_id', ...others, 'workspace_id'].filter((name) => ids.includes(name))
  return target === undefined ? likeliest : [target, ...likeliest]
}

export const entryOf = (event: RecordedEvent, targets: Targets): NewEntry => {
  const data = event.data as { readonly [field: string]: unknown }
  const target = targets.get(event.name)?.find((field) => isUuid(data[field]))
  return {
    id: event.id,
    workspace_id: event.workspace_id,
    at: event.created_at,
    action: event.name,
    actor_type: event.actor.type,
    actor_id: event.actor.id,
    impersonator_id: event.impersonator_id,
    target_type: target === undefined ? null : typeOf(target),
    target_id: target === undefined ? null : (data[target] as string),
    request_id: event.origin?.request_id ?? null,
    address: event.origin?.address ?? null,
    user_agent: event.origin?.user_agent ?? null,
    // No event should hold a credential; one that does is not kept for years.
    data: JSON.stringify(redact(event.data)),
    before: jsonOrNull(event.changes?.before),
    after: jsonOrNull(event.changes?.after),
  }
}

/** `workflow_id` names a workflow; `from_user_id` a user. */
const typeOf = (field: string): string => (field.endsWith('_user_id') ? 'user' : field.replace(/_id$/, ''))

const jsonOrNull = (value: unknown): string | null => (value === undefined ? null : JSON.stringify(value))
