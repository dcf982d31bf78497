-- Calls of webhooks as they came, where their trigger keeps them: those that were refused, and the bytes of those that were taken.
create table workflow_requests (
  -- Of a call that was taken, the execution that it started.
  id uuid primary key,
  workspace_id uuid not null,
  workflow_id uuid not null references workflows on delete cascade,
  node_id text not null,
  version integer not null,
  outcome text not null check (outcome in ('accepted', 'refused')),
  -- Why it was refused.
  reason text check ((outcome = 'refused') = (reason is not null)),
  method text not null,
  path text not null,
  query text not null,
  -- Without what lets its bearer in somewhere.
  headers json not null,
  body bytea not null,
  -- Of the body as it came; more than are kept where it was cut off.
  bytes integer not null,
  received_at timestamptz(3) not null,
  -- The last execution that a member has started with it.
  replayed_as uuid,
  replayed_by uuid references users on delete set null
);
create index workflow_requests_of_workflow on workflow_requests (workflow_id, outcome, id desc);
create index workflow_requests_replayed_by on workflow_requests (replayed_by) where replayed_by is not null;
call millrace.protect('workflow_requests', 'workspace_id = millrace.current_workspace_id()');

alter table workflow_webhooks add column keep_requests text not null default 'none' check (keep_requests in ('none', 'refused', 'all'));
