-- Keys under which executions were started: the same key starts no second one while it counts. Written in the commit of the
-- execution itself, so that either both are there or neither is.
create table engine_starts (
  workflow_id uuid not null,
  key text not null check (length(key) between 1 and 200),
  workspace_id uuid not null,
  execution_id uuid not null,
  expires_at timestamptz(3) not null,
  primary key (workflow_id, key)
);
create index engine_starts_expired on engine_starts (expires_at);
call millrace.protect('engine_starts', 'workspace_id = millrace.current_workspace_id()');
