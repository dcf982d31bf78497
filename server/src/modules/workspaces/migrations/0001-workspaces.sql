create table workspaces (
  id uuid primary key,
  name text not null check (length(name) between 1 and 200),
  -- In webhook addresses: /hooks/<slug>/<path>.
  slug text not null unique check (slug ~ '^[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?$'),
  -- The user whose personal workspace this is; each user has one.
  personal_of uuid unique references users on delete cascade,
  revision integer not null default 1,
  created_at timestamptz(3) not null,
  updated_at timestamptz(3) not null
);

create table workspace_members (
  workspace_id uuid not null references workspaces on delete cascade,
  user_id uuid not null references users on delete cascade,
  role text not null check (role in ('owner', 'admin', 'member', 'viewer')),
  created_at timestamptz(3) not null,
  primary key (workspace_id, user_id)
);
create index workspace_members_of_user on workspace_members (user_id, workspace_id);

-- The current workspace is one the caller belongs to: that was checked before it became the scope.
call millrace.protect('workspace_members', 'user_id = millrace.current_user_id() or workspace_id = millrace.current_workspace_id()');
call millrace.protect(
  'workspaces',
  'exists (select 1 from workspace_members m where m.workspace_id = workspaces.id and m.user_id = millrace.current_user_id())'
);
-- Members see; whoever joins, leaves or makes a workspace does it through the product's own work.
revoke insert, update, delete on workspaces, workspace_members from millrace_app;
