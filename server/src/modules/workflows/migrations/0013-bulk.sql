-- Something that is to be done to many executions. Its id is that of the job that does it.
create table workflow_bulks (
  id uuid primary key,
  workspace_id uuid not null references workspaces on delete cascade,
  verb text not null check (verb in ('cancel', 'retry', 'fork', 'pause', 'resume', 'dismiss')),
  -- Of a fork: `{ node_id?, version? }`.
  options json not null,
  asked_by uuid references users on delete set null,
  impersonator_id uuid references users on delete set null,
  total integer not null,
  created_at timestamptz(3) not null,
  finished_at timestamptz(3)
);
create index workflow_bulks_of_workspace on workflow_bulks (workspace_id, created_at);
call millrace.protect('workflow_bulks', 'workspace_id = millrace.current_workspace_id()');

create table workflow_bulk_items (
  bulk_id uuid not null references workflow_bulks on delete cascade,
  nth integer not null,
  workspace_id uuid not null,
  execution_id uuid not null,
  -- Null: it has not been its turn.
  ok boolean,
  -- Why not.
  code text,
  -- Of a fork: the new execution.
  new_execution_id uuid,
  primary key (bulk_id, nth)
);
create index workflow_bulk_items_open on workflow_bulk_items (bulk_id, nth) where ok is null;
call millrace.protect('workflow_bulk_items', 'workspace_id = millrace.current_workspace_id()');
