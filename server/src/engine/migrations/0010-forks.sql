-- Executions that began with what another one had done.
create table engine_forks (
  execution_id uuid primary key,
  workspace_id uuid not null,
  from_execution_id uuid not null,
  -- Where it goes on; null: from the start.
  node_id text
);
create index engine_forks_of_workspace on engine_forks (workspace_id);
call millrace.protect('engine_forks', 'workspace_id = millrace.current_workspace_id()');
