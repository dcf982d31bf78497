-- Executions of a workflow with limits stand in a line, one for each key, until they are admitted: nobody holds or wakes them (`wake_at` is
-- infinity, or when their time is over). An admitted one has its slot until it has ended: slots are counted, not kept in a counter that
-- could be wrong after a crash.
alter table executions add column line text;
alter table executions add column rate_key text;
alter table executions add column admitted_at timestamptz(3);
create index executions_in_line on executions (workflow_id, line, priority desc, id)
  where line is not null and admitted_at is null and wake_at is not null and paused_at is null;
create index executions_admitted on executions (workflow_id, line)
  where line is not null and admitted_at is not null and finished_at is null;

-- The limits of the newest version of a workflow, which count for what earlier ones have queued as well. No row: none was ever limited.
create table engine_limits (
  workflow_id uuid primary key,
  workspace_id uuid not null,
  version integer not null,
  concurrency integer,
  rate integer,
  per_ms bigint
);
call millrace.protect('engine_limits', 'workspace_id = millrace.current_workspace_id()');

-- What was admitted under a rate limit, for as long as that counts.
create table engine_rate_starts (
  workflow_id uuid not null,
  key text not null,
  at timestamptz not null,
  execution_id uuid not null,
  workspace_id uuid not null,
  expires_at timestamptz not null,
  primary key (workflow_id, key, at, execution_id)
);
create index engine_rate_starts_expired on engine_rate_starts (expires_at);
call millrace.protect('engine_rate_starts', 'workspace_id = millrace.current_workspace_id()');

-- Versions that were published when a limit was written and not yet kept.
set local role millrace_system;
insert into engine_limits (workflow_id, workspace_id, version, concurrency)
select v.workflow_id, v.workspace_id, v.version, (v.definition #>> '{settings,concurrency}')::int
from engine_versions as v
where v.definition #>> '{settings,concurrency}' is not null
  and not exists (select from engine_versions as later where later.workflow_id = v.workflow_id and later.version > v.version);
reset role;
