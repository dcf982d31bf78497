-- What active workflows listen to: events of their workspace, and failures of its other workflows. They come and go as schedules do.
create table workflow_subscriptions (
  workflow_id uuid not null references workflows on delete cascade,
  node_id text not null,
  workspace_id uuid not null,
  version integer not null,
  kind text not null check (kind in ('event', 'failure')),
  -- Of an event: its name, or its beginning and a star.
  event text check ((kind = 'event') = (event is not null)),
  -- Which of them, as an expression; null for all.
  condition text,
  -- Of a failure: the workflows that are meant; null for all.
  workflow_ids uuid[],
  primary key (workflow_id, node_id)
);
create index workflow_subscriptions_of_workspace on workflow_subscriptions (workspace_id);
call millrace.protect('workflow_subscriptions', 'workspace_id = millrace.current_workspace_id()');
