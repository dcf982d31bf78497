-- Somebody has paused an execution. Who holds it lets it settle; from then on it sleeps until `infinity`, so that no timer wakes it.
alter table executions add column paused_at timestamptz(3);

-- Executions that failed and that nobody has looked after yet. A row enters the index when it fails and leaves it when it is retried or dismissed.
alter table executions add column dismissed_at timestamptz(3);
create index executions_dead on executions (workspace_id, id desc)
  where status in ('failed', 'timed_out') and mode = 'live' and dismissed_at is null;
