-- What a workflow asks people to decide.
create table workflow_approvals (
  id uuid primary key,
  workspace_id uuid not null references workspaces on delete cascade,
  workflow_id uuid not null,
  execution_id uuid not null,
  path text not null,
  node_id text not null,
  message text not null,
  -- JSON Schema of what goes with a decision, or null.
  form json,
  approvers uuid[] not null,
  needed integer not null check (needed > 0),
  status text not null default 'open' check (status in ('open', 'approved', 'rejected', 'expired')),
  expires_at timestamptz(3),
  created_at timestamptz(3) not null,
  decided_at timestamptz(3),
  unique (execution_id, path)
);
create index workflow_approvals_open on workflow_approvals using gin (approvers) where status = 'open';
call millrace.protect('workflow_approvals', 'workspace_id = millrace.current_workspace_id()');

create table workflow_decisions (
  approval_id uuid not null references workflow_approvals on delete cascade,
  user_id uuid not null references users on delete cascade,
  workspace_id uuid not null,
  decision text not null check (decision in ('approve', 'reject')),
  comment text check (length(comment) <= 2000),
  form json,
  created_at timestamptz(3) not null,
  primary key (approval_id, user_id)
);
call millrace.protect('workflow_decisions', 'workspace_id = millrace.current_workspace_id()');
