-- Workflows that a workspace begins others from. Those that come with the product are code.
create table workflow_templates (
  id uuid primary key,
  workspace_id uuid not null references workspaces on delete cascade,
  title text not null,
  description text not null,
  category text not null,
  icon text not null,
  parameters json not null,
  definition json not null,
  tests json not null,
  created_by uuid references users on delete set null,
  revision integer not null default 1,
  created_at timestamptz(3) not null,
  updated_at timestamptz(3) not null
);
create index workflow_templates_of_workspace on workflow_templates (workspace_id, id);
call millrace.protect('workflow_templates', 'workspace_id = millrace.current_workspace_id()');
