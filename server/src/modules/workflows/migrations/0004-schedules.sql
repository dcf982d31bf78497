-- The schedules of active workflows. They come with publish and resume, and go with pause, archive and delete.
create table workflow_schedules (
  workflow_id uuid not null references workflows on delete cascade,
  node_id text not null,
  workspace_id uuid not null,
  version integer not null,
  -- `{ cron, timezone }` or `{ every_ms }`.
  recurrence json not null,
  missed text not null check (missed in ('skip', 'once', 'all')),
  -- Null when there is no further time.
  next_at timestamptz(3),
  primary key (workflow_id, node_id)
);
create index workflow_schedules_due on workflow_schedules (next_at) where next_at is not null;
call millrace.protect('workflow_schedules', 'workspace_id = millrace.current_workspace_id()');
