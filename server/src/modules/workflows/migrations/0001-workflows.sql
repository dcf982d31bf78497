-- A workflow with its one editable draft. What a published version executes lies with the engine; what was published, and by
-- whom, in workflow_versions.
create table workflows (
  id uuid primary key,
  workspace_id uuid not null references workspaces on delete cascade,
  name text not null check (length(name) between 1 and 200),
  description text not null default '' check (length(description) <= 10000),
  status text not null default 'draft' check (status in ('draft', 'active', 'paused', 'archived')),
  -- The version that is live or was last; null before the first publish.
  version integer check (version > 0),
  -- `json`, not `jsonb`: the draft comes back as it was written, in its order.
  definition json not null,
  -- Triggers of the published version, of the draft before there is one: [{ node_id, type, path? }].
  triggers json not null,
  tags text[] not null default '{}',
  created_by uuid references users on delete set null,
  revision integer not null default 1,
  created_at timestamptz(3) not null,
  updated_at timestamptz(3) not null,
  check (status = 'draft' or status = 'archived' or version is not null)
);
create index workflows_of_workspace on workflows (workspace_id, id desc);
create index workflows_tags on workflows using gin (tags);
call millrace.protect('workflows', 'workspace_id = millrace.current_workspace_id()');

create table workflow_versions (
  workflow_id uuid not null references workflows on delete cascade,
  version integer not null check (version > 0),
  workspace_id uuid not null,
  definition json not null,
  triggers json not null,
  note text check (length(note) <= 2000),
  created_by uuid references users on delete set null,
  created_at timestamptz(3) not null,
  primary key (workflow_id, version)
);
call millrace.protect('workflow_versions', 'workspace_id = millrace.current_workspace_id()');

-- The webhook addresses that published versions hold, also while their workflow is paused: whoever resumes it finds its
-- addresses as they were. The primary key decides between two publishes at the same moment.
create table workflow_webhooks (
  workspace_id uuid not null,
  method text not null,
  path text not null check (length(path) between 1 and 200),
  workflow_id uuid not null references workflows on delete cascade,
  version integer not null,
  node_id text not null,
  respond text not null check (respond in ('immediate', 'last_node', 'respond_node')),
  -- Of the reply; null for the one that goes with `respond`.
  status integer check (status between 200 and 599),
  primary key (workspace_id, method, path)
);
create index workflow_webhooks_of_workflow on workflow_webhooks (workflow_id);
call millrace.protect('workflow_webhooks', 'workspace_id = millrace.current_workspace_id()');
