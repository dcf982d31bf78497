-- Whose turn it is. Within a workspace what has the higher priority is taken up first; workspaces take turns.
alter table executions add column priority smallint not null default 0;
create index executions_queued on executions (workspace_id, priority desc, id)
  where worker_id is null and finished_at is null and wake_at is null;
