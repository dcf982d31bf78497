-- The engine's journal. Ids are UUIDv7, so "partitioned by id" means partitioned by time, and a look-up by id reads one partition.

-- A process that executes. `epoch` is part of a unique key on purpose: raising it takes the lock that conflicts with the
-- `for key share` of a journal batch, while a heartbeat does not. So a batch and a takeover never interleave, and heartbeats
-- never wait for batches.
create table engine_workers (
  id uuid primary key,
  epoch bigint not null,
  state text not null check (state in ('alive', 'stopped', 'dead')),
  started_at timestamptz(3) not null default now(),
  heartbeat_at timestamptz(3) not null default now(),
  unique (id, epoch)
);
call millrace.protect('engine_workers', 'false');

-- What a published version executes. Never changed once written.
create table engine_versions (
  workflow_id uuid not null,
  version integer not null check (version > 0),
  workspace_id uuid not null,
  definition json not null,
  created_at timestamptz(3) not null default now(),
  primary key (workflow_id, version)
);
call millrace.protect('engine_versions', 'workspace_id = millrace.current_workspace_id()');

-- The hot row: small, inserted once, updated when the execution changes hands or ends.
create table executions (
  id uuid not null primary key,
  workspace_id uuid not null,
  workflow_id uuid not null,
  version integer not null,
  mode text not null check (mode in ('live', 'test')),
  status text not null check (status in ('queued', 'running', 'waiting', 'succeeded', 'failed', 'cancelled', 'timed_out')),
  trigger_type text not null,
  trigger_node_id text not null,
  -- Who executes it; null while it is queued for anyone, and once it has ended.
  worker_id uuid,
  -- How often a worker took it over from a dead one.
  recoveries smallint not null default 0,
  cancel_requested boolean not null default false,
  error json,
  started_at timestamptz(3) not null,
  finished_at timestamptz(3)
) partition by range (id);
create index executions_of_workspace on executions (workspace_id, id desc);
create index executions_of_workflow on executions (workflow_id, id desc);
create index executions_unfinished on executions (worker_id, id) where finished_at is null;
call millrace.protect('executions', 'workspace_id = millrace.current_workspace_id()');

-- The journal proper: append-only, one row per shared commit of an execution. `body` is opaque to SQL and `json`, not
-- `jsonb`: it keeps what a customer sent to the letter, \u0000 included, and costs less to write.
create table execution_records (
  execution_id uuid not null,
  seq integer not null,
  workspace_id uuid not null,
  body json not null,
  primary key (execution_id, seq)
) partition by range (execution_id);
call millrace.protect('execution_records', 'workspace_id = millrace.current_workspace_id()');

-- Rows are reached through the parents, under the parents' policies; the partitions themselves are closed.
create table executions_default partition of executions default;
alter table executions_default enable row level security;
alter table executions_default force row level security;
create table execution_records_default partition of execution_records default;
alter table execution_records_default enable row level security;
alter table execution_records_default force row level security;

select millrace.make_partitions(now(), 4);
