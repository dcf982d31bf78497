-- What the workflows of a workspace have in common: `vars.<name>` in their expressions.
create table workflow_variables (
  workspace_id uuid not null references workspaces on delete cascade,
  name text not null check (length(name) between 1 and 64),
  -- `json`, not `jsonb`: it comes back as it was written.
  value json not null check (octet_length(value::text) <= 32768),
  description text not null default '' check (length(description) <= 500),
  updated_by uuid references users on delete set null,
  revision integer not null default 1,
  created_at timestamptz(3) not null,
  updated_at timestamptz(3) not null,
  primary key (workspace_id, name)
);
create index workflow_variables_by on workflow_variables (updated_by) where updated_by is not null;
call millrace.protect('workflow_variables', 'workspace_id = millrace.current_workspace_id()');
