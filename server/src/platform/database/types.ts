// Generated from the migrated database by `npm run generate`. Do not edit.
import type { ColumnType, Generated } from 'kysely'
import type { Json } from '../../lib/json.ts'

type JsonInput = object | string | number | boolean

export interface ApiKeysTable {
  id: string
  user_id: string
  workspace_id: string
  name: string
  key_hash: string
  permissions: string[]
  expires_at: string | null
  requests_per_hour: number | null
  last_used_at: string | null
  last_used_address: string | null
  revision: Generated<number>
  created_at: string
  updated_at: string
}

export interface AuditChainsTable {
  chain: string
  seq: number
  hash: string
}

export interface AuditEntriesTable {
  id: string
  workspace_id: string | null
  chain: string
  seq: number
  at: string
  action: string
  actor_type: string
  actor_id: string | null
  impersonator_id: string | null
  target_type: string | null
  target_id: string | null
  request_id: string | null
  salt: string | null
  address: string | null
  user_agent: string | null
  data: ColumnType<Json | null, JsonInput | null | undefined, JsonInput | null>
  before: ColumnType<Json | null, JsonInput | null | undefined, JsonInput | null>
  after: ColumnType<Json | null, JsonInput | null | undefined, JsonInput | null>
  erased_at: string | null
  content_hash: string
  previous_hash: string
  hash: string
}

export interface EngineCallsTable {
  execution_id: string
  workspace_id: string
  parent_execution_id: string
  path: string
  hops: number
  waits: boolean
}

export interface EngineForksTable {
  execution_id: string
  workspace_id: string
  from_execution_id: string
  node_id: string | null
}

export interface EngineLimitsTable {
  workflow_id: string
  workspace_id: string
  version: number
  concurrency: number | null
  rate: number | null
  per_ms: number | null
  held: Generated<boolean>
}

export interface EngineRateStartsTable {
  workflow_id: string
  key: string
  at: string
  execution_id: string
  workspace_id: string
  expires_at: string
}

export interface EngineSchedulesTable {
  job: string
  next_at: string
}

export interface EngineStartsTable {
  workflow_id: string
  key: string
  workspace_id: string
  execution_id: string
  expires_at: string
}

export interface EngineStatisticsTable {
  workflow_id: string
  hour: string
  node_id: string
  status: 'succeeded' | 'failed' | 'cancelled' | 'timed_out' | 'retried' | 'sampled'
  bucket: number
  workspace_id: string
  n: number
}

export interface EngineStatisticsCursorTable {
  one: Generated<boolean>
  snapshot: string
  counted_at: string | null
}

export interface EngineVersionsTable {
  workflow_id: string
  version: number
  workspace_id: string
  definition: ColumnType<Json, JsonInput, JsonInput>
  created_at: Generated<string>
  retention_days: number | null
}

export interface EngineWaitsTable {
  execution_id: string
  path: string
  node_id: string
  workspace_id: string
  attempt: number
  created_at: string
  expires_at: string | null
  closed_at: string | null
  settled_at: string | null
  output: ColumnType<Json | null, JsonInput | null | undefined, JsonInput | null>
  port: string | null
  delivered_at: string | null
}

export interface EngineWorkersTable {
  id: string
  epoch: number
  state: 'alive' | 'stopped' | 'dead'
  started_at: Generated<string>
  heartbeat_at: Generated<string>
}

export interface EventCursorsTable {
  consumer: string
  snapshot: string
  floor: string
  target: string | null
  seq: Generated<number>
  revision: Generated<number>
  updated_at: Generated<string>
}

export interface EventsTable {
  id: Generated<string>
  seq: Generated<number>
  tx_id: Generated<string>
  workspace_id: string | null
  name: string
  actor_type: string
  actor_id: string | null
  data: ColumnType<Json, JsonInput, JsonInput>
  created_at: string
  origin: ColumnType<Json | null, JsonInput | null | undefined, JsonInput | null>
  changes: ColumnType<Json | null, JsonInput | null | undefined, JsonInput | null>
  impersonator_id: string | null
}

export interface ExecutionRecordsTable {
  execution_id: string
  seq: number
  workspace_id: string
  body: ColumnType<Json, JsonInput, JsonInput>
}

export interface ExecutionsTable {
  id: string
  workspace_id: string
  workflow_id: string
  version: number
  mode: 'live' | 'test' | 'job'
  status: 'queued' | 'running' | 'waiting' | 'succeeded' | 'failed' | 'cancelled' | 'timed_out'
  trigger_type: string
  trigger_node_id: string
  worker_id: string | null
  recoveries: Generated<number>
  cancel_requested: Generated<boolean>
  error: ColumnType<Json | null, JsonInput | null | undefined, JsonInput | null>
  started_at: string
  finished_at: string | null
  wake_at: string | null
  priority: Generated<number>
  paused_at: string | null
  dismissed_at: string | null
  line: string | null
  rate_key: string | null
  admitted_at: string | null
}

export interface IdempotentRepliesTable {
  scope: string
  user_id: string | null
  fingerprint: string
  reply: string | null
  claim: string | null
  claimed_until: string | null
  created_at: string
}

export interface IdentitiesTable {
  id: string
  user_id: string
  issuer: string
  subject: string
  provider: string | null
  email: string | null
  created_at: string
  last_used_at: string
}

export interface InboundDeliveriesTable {
  source: string
  delivery_id: string
  received_at: string
}

export interface IntegrationConsentsTable {
  state_hash: string
  integration_id: string
  workspace_id: string
  user_id: string
  session_id: string
  browser_hash: string
  verifier: string
  redirect_to: string
  revision: number
  created_at: string
  expires_at: string
}

export interface IntegrationsTable {
  id: string
  workspace_id: string
  type: string
  name: string
  config: ColumnType<Json, JsonInput, JsonInput>
  credentials: string
  credential_fields: string[]
  tokens: string | null
  tokens_expire_at: string | null
  health: Generated<'unknown' | 'ok' | 'failing'>
  health_checked_at: string | null
  health_error: string | null
  last_used_at: string | null
  created_by: string | null
  revision: Generated<number>
  created_at: string
  updated_at: string
  renewing_until: string | null
}

export interface MailsTable {
  id: string
  workspace_id: string | null
  user_id: string | null
  kind: string
  recipient: string
  subject: string
  message_id: string
  body: string | null
  status: Generated<'queued' | 'sent' | 'failed' | 'kept' | 'dropped'>
  error: string | null
  attempts: Generated<number>
  attempted_at: string | null
  execution_id: string | null
  created_at: string
  ended_at: string | null
}

export interface MfaChallengesTable {
  token_hash: string
  user_id: string
  method: string
  remember_me: boolean
  wrong_tries: Generated<number>
  created_at: string
  expires_at: string
}

export interface OneTimeTokensTable {
  token_hash: string
  purpose: string
  user_id: string | null
  data: ColumnType<Json, JsonInput, JsonInput>
  created_at: string
  expires_at: string
}

export interface PasskeyChallengesUsedTable {
  challenge_hash: string
  expires_at: string
}

export interface PasskeyHandlesTable {
  user_id: string
  handle: string
}

export interface PasskeysTable {
  id: string
  user_id: string
  credential_id: string
  public_key: string
  counter: number
  transports: string[]
  aaguid: string
  is_synced: boolean
  name: string
  revision: Generated<number>
  created_at: string
  last_used_at: string | null
}

export interface PersonalExportPartsTable {
  export_id: string
  seq: number
  body: string
}

export interface PersonalExportsTable {
  id: string
  user_id: string
  status: 'running' | 'ready' | 'failed'
  size_bytes: number | null
  created_at: string
  finished_at: string | null
  expires_at: string | null
}

export interface PlanNoticesTable {
  workspace_id: string
  subject_id: string
  feature: string
  kind: 'near' | 'reached'
  period_start: string
  created_at: string
}

export interface PlanUsageTable {
  workspace_id: string
  feature: string
  period_start: string
  used: number
}

export interface RateCountersTable {
  key: string
  points: number
  expire: number | null
}

export interface RecoveryCodesTable {
  user_id: string
  code_hash: string
  used_at: string | null
}

export interface RefreshTokensTable {
  token_hash: string
  session_id: string
  parent_hash: string | null
  created_at: string
  expires_at: string
  used_at: string | null
}

export interface SecretKeysTable {
  id: string
  wrapped: string
  created_at: Generated<string>
}

export interface SecretsTable {
  name: string
  sealed: string
  created_at: Generated<string>
  updated_at: Generated<string>
}

export interface SessionsTable {
  id: string
  user_id: string
  workspace_id: string
  remember_me: boolean
  user_agent: string | null
  address: string | null
  created_at: string
  last_seen_at: string
  idle_expires_at: string
  expires_at: string
  revoked_at: string | null
  revoked_reason: string | null
  impersonator_id: string | null
  impersonator_session_id: string | null
}

export interface SetupTokensTable {
  token_hash: string
  created_at: string
  expires_at: string
}

export interface SignInNetworksTable {
  user_id: string
  network: string
  last_seen_at: string
}

export interface SignInsTable {
  user_id: string
  total: number
  last_at: string
}

export interface TotpFactorsTable {
  user_id: string
  sealed_secret: string
  created_at: string
  confirmed_at: string | null
  last_step: Generated<number>
  wrong_in_a_row: Generated<number>
  blocked_until: string | null
}

export interface UserPasswordsTable {
  user_id: string
  hash: string
  updated_at: string
}

export interface UsersTable {
  id: string
  email: string
  username: string
  name: string | null
  avatar_url: string | null
  role: Generated<'admin' | 'user'>
  plan: 'free' | 'basic' | 'premium' | 'enterprise'
  is_active: Generated<boolean>
  email_verified: Generated<boolean>
  settings: ColumnType<Json, JsonInput | undefined, JsonInput>
  revision: Generated<number>
  created_at: string
  updated_at: string
}

export interface WorkflowApprovalsTable {
  id: string
  workspace_id: string
  workflow_id: string
  execution_id: string
  path: string
  node_id: string
  message: string
  form: ColumnType<Json | null, JsonInput | null | undefined, JsonInput | null>
  approvers: string[]
  needed: number
  status: Generated<'open' | 'approved' | 'rejected' | 'expired'>
  expires_at: string | null
  created_at: string
  decided_at: string | null
  escalates_at: string | null
  escalated_at: string | null
  escalations: Generated<number>
}

export interface WorkflowBulkItemsTable {
  bulk_id: string
  nth: number
  workspace_id: string
  execution_id: string
  ok: boolean | null
  code: string | null
  new_execution_id: string | null
}

export interface WorkflowBulksTable {
  id: string
  workspace_id: string
  verb: 'cancel' | 'retry' | 'fork' | 'pause' | 'resume' | 'dismiss'
  options: ColumnType<Json, JsonInput, JsonInput>
  asked_by: string | null
  impersonator_id: string | null
  total: number
  created_at: string
  finished_at: string | null
}

export interface WorkflowDecisionsTable {
  approval_id: string
  user_id: string
  workspace_id: string
  decision: 'approve' | 'reject'
  comment: string | null
  form: ColumnType<Json | null, JsonInput | null | undefined, JsonInput | null>
  created_at: string
}

export interface WorkflowRequestsTable {
  id: string
  workspace_id: string
  workflow_id: string
  node_id: string
  version: number
  outcome: 'accepted' | 'refused'
  reason: string | null
  method: string
  path: string
  query: string
  headers: ColumnType<Json, JsonInput, JsonInput>
  body: Buffer
  bytes: number
  received_at: string
  replayed_as: string | null
  replayed_by: string | null
}

export interface WorkflowSchedulesTable {
  workflow_id: string
  node_id: string
  workspace_id: string
  version: number
  recurrence: ColumnType<Json, JsonInput, JsonInput>
  missed: 'skip' | 'once' | 'all'
  next_at: string | null
  held_at: string | null
}

export interface WorkflowSecretsTable {
  id: string
  workspace_id: string
  name: string
  sealed: string
  previous: string | null
  previous_until: string | null
  created_by: string | null
  revision: Generated<number>
  created_at: string
  updated_at: string
}

export interface WorkflowSubscriptionsTable {
  workflow_id: string
  node_id: string
  workspace_id: string
  version: number
  kind: 'event' | 'failure'
  event: string | null
  condition: string | null
  workflow_ids: string[] | null
}

export interface WorkflowTemplatesTable {
  id: string
  workspace_id: string
  title: string
  description: string
  category: string
  icon: string
  parameters: ColumnType<Json, JsonInput, JsonInput>
  definition: ColumnType<Json, JsonInput, JsonInput>
  tests: ColumnType<Json, JsonInput, JsonInput>
  created_by: string | null
  revision: Generated<number>
  created_at: string
  updated_at: string
}

export interface WorkflowVariablesTable {
  workspace_id: string
  name: string
  value: ColumnType<Json, JsonInput, JsonInput>
  description: Generated<string>
  updated_by: string | null
  revision: Generated<number>
  created_at: string
  updated_at: string
}

export interface WorkflowVersionsTable {
  workflow_id: string
  version: number
  workspace_id: string
  definition: ColumnType<Json, JsonInput, JsonInput>
  triggers: ColumnType<Json, JsonInput, JsonInput>
  note: string | null
  created_by: string | null
  created_at: string
}

export interface WorkflowWebhooksTable {
  workspace_id: string
  method: string
  path: string
  workflow_id: string
  version: number
  node_id: string
  respond: 'immediate' | 'last_node' | 'respond_node'
  status: number | null
  auth: ColumnType<Json | null, JsonInput | null | undefined, JsonInput | null>
  secret_id: string | null
  dedupe: ColumnType<Json | null, JsonInput | null | undefined, JsonInput | null>
  form: ColumnType<Json | null, JsonInput | null | undefined, JsonInput | null>
  keep_requests: Generated<'none' | 'refused' | 'all'>
}

export interface WorkflowsTable {
  id: string
  workspace_id: string
  name: string
  description: Generated<string>
  status: Generated<'draft' | 'active' | 'paused' | 'archived'>
  version: number | null
  definition: ColumnType<Json, JsonInput, JsonInput>
  triggers: ColumnType<Json, JsonInput, JsonInput>
  tags: Generated<string[]>
  created_by: string | null
  revision: Generated<number>
  created_at: string
  updated_at: string
}

export interface WorkspaceInvitationsTable {
  id: string
  workspace_id: string
  email: string
  role: 'owner' | 'admin' | 'member' | 'viewer'
  token_hash: string
  invited_by: string
  created_at: string
  sent_at: string
  expires_at: string
}

export interface WorkspaceMembersTable {
  workspace_id: string
  user_id: string
  role: 'owner' | 'admin' | 'member' | 'viewer'
  created_at: string
}

export interface WorkspaceSlugsTable {
  slug: string
  workspace_id: string
  created_at: string
}

export interface WorkspacesTable {
  id: string
  name: string
  slug: string
  personal_of: string | null
  revision: Generated<number>
  created_at: string
  updated_at: string
  deleted_at: string | null
  purge_at: string | null
}

export interface Database {
  api_keys: ApiKeysTable
  audit_chains: AuditChainsTable
  audit_entries: AuditEntriesTable
  engine_calls: EngineCallsTable
  engine_forks: EngineForksTable
  engine_limits: EngineLimitsTable
  engine_rate_starts: EngineRateStartsTable
  engine_schedules: EngineSchedulesTable
  engine_starts: EngineStartsTable
  engine_statistics: EngineStatisticsTable
  engine_statistics_cursor: EngineStatisticsCursorTable
  engine_versions: EngineVersionsTable
  engine_waits: EngineWaitsTable
  engine_workers: EngineWorkersTable
  event_cursors: EventCursorsTable
  events: EventsTable
  execution_records: ExecutionRecordsTable
  executions: ExecutionsTable
  idempotent_replies: IdempotentRepliesTable
  identities: IdentitiesTable
  inbound_deliveries: InboundDeliveriesTable
  integration_consents: IntegrationConsentsTable
  integrations: IntegrationsTable
  mails: MailsTable
  mfa_challenges: MfaChallengesTable
  one_time_tokens: OneTimeTokensTable
  passkey_challenges_used: PasskeyChallengesUsedTable
  passkey_handles: PasskeyHandlesTable
  passkeys: PasskeysTable
  personal_export_parts: PersonalExportPartsTable
  personal_exports: PersonalExportsTable
  plan_notices: PlanNoticesTable
  plan_usage: PlanUsageTable
  rate_counters: RateCountersTable
  recovery_codes: RecoveryCodesTable
  refresh_tokens: RefreshTokensTable
  secret_keys: SecretKeysTable
  secrets: SecretsTable
  sessions: SessionsTable
  setup_tokens: SetupTokensTable
  sign_in_networks: SignInNetworksTable
  sign_ins: SignInsTable
  totp_factors: TotpFactorsTable
  user_passwords: UserPasswordsTable
  users: UsersTable
  workflow_approvals: WorkflowApprovalsTable
  workflow_bulk_items: WorkflowBulkItemsTable
  workflow_bulks: WorkflowBulksTable
  workflow_decisions: WorkflowDecisionsTable
  workflow_requests: WorkflowRequestsTable
  workflow_schedules: WorkflowSchedulesTable
  workflow_secrets: WorkflowSecretsTable
  workflow_subscriptions: WorkflowSubscriptionsTable
  workflow_templates: WorkflowTemplatesTable
  workflow_variables: WorkflowVariablesTable
  workflow_versions: WorkflowVersionsTable
  workflow_webhooks: WorkflowWebhooksTable
  workflows: WorkflowsTable
  workspace_invitations: WorkspaceInvitationsTable
  workspace_members: WorkspaceMembersTable
  workspace_slugs: WorkspaceSlugsTable
  workspaces: WorkspacesTable
}
