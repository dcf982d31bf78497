-- Secrets of a workspace that its workflows name by id. Written by people, read by the server alone.
create table workflow_secrets (
  id uuid primary key,
  workspace_id uuid not null references workspaces on delete cascade,
  name text not null check (length(name) between 1 and 100),
  sealed text not null,
  -- What the secret was before, and until when it counts as well.
  previous text,
  previous_until timestamptz(3),
  created_by uuid references users on delete set null,
  revision integer not null default 1,
  created_at timestamptz(3) not null,
  updated_at timestamptz(3) not null,
  unique (workspace_id, name),
  check ((previous is null) = (previous_until is null))
);
call millrace.protect('workflow_secrets', 'workspace_id = millrace.current_workspace_id()');

-- How a call has to prove itself, as the trigger says; null where anybody may call.
alter table workflow_webhooks add column auth json;
alter table workflow_webhooks add column secret_id uuid references workflow_secrets;
create index workflow_webhooks_of_secret on workflow_webhooks (secret_id) where secret_id is not null;
