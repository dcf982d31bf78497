-- How executions of workflows have ended, by the hour: so many (`n`) of a duration (`bucket`, see statistics/durations.ts). With a `node_id`, how
-- steps of that node have; these are read off a sample of the executions, whose number stands under the status `sampled`.
create table engine_statistics (
  workflow_id uuid not null,
  hour timestamptz(3) not null,
  -- Empty for executions as a whole.
  node_id text not null,
  status text not null check (status in ('succeeded', 'failed', 'cancelled', 'timed_out', 'retried', 'sampled')),
  bucket smallint not null,
  workspace_id uuid not null,
  n bigint not null,
  primary key (workflow_id, hour, node_id, status, bucket)
);
create index engine_statistics_in_order on engine_statistics (hour);
call millrace.protect('engine_statistics', 'workspace_id = millrace.current_workspace_id()');

-- Up to where the event log has been counted: what is visible in the snapshot.
create table engine_statistics_cursor (
  one boolean primary key default true check (one),
  snapshot pg_snapshot not null,
  counted_at timestamptz(3)
);
call millrace.protect('engine_statistics_cursor', 'false');
set local role millrace_system;
insert into engine_statistics_cursor (snapshot) values ('1:1:');
reset role;
