-- Steps that wait for somebody outside: a call, a decision. The row is open until it is settled, by whoever comes first, or
-- closed, because its time is over. What it was settled with goes into the journal when the execution sleeps.
create table engine_waits (
  execution_id uuid not null,
  -- Of the step: the node's id, with loop indices before it.
  path text not null,
  node_id text not null,
  workspace_id uuid not null,
  -- The attempt that asked to wait.
  attempt integer not null,
  created_at timestamptz(3) not null,
  expires_at timestamptz(3),
  closed_at timestamptz(3),
  settled_at timestamptz(3),
  -- What the step leaves with.
  output json,
  port text,
  delivered_at timestamptz(3),
  primary key (execution_id, path)
);
create index engine_waits_undelivered on engine_waits (settled_at) where settled_at is not null and delivered_at is null;
call millrace.protect('engine_waits', 'workspace_id = millrace.current_workspace_id()');
