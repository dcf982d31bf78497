-- What a workspace uses elsewhere. `config` may be seen; `credentials` and `tokens` are sealed, each for its own row, and leave the
-- server only towards the service that they are for.
create table integrations (
  id uuid primary key,
  workspace_id uuid not null references workspaces on delete cascade,
  type text not null check (length(type) between 1 and 50),
  name text not null check (length(name) between 1 and 200),
  config json not null,
  credentials text not null,
  -- Names of the credentials that are there, so that a form can say so without opening them.
  credential_fields text[] not null,
  -- Of OAuth 2.0: what the service has given out, and until when the access token is good.
  tokens text,
  tokens_expire_at timestamptz(3),
  health text not null default 'unknown' check (health in ('unknown', 'ok', 'failing')),
  health_checked_at timestamptz(3),
  health_error text check (length(health_error) <= 500),
  last_used_at timestamptz(3),
  created_by uuid references users on delete set null,
  revision integer not null default 1,
  created_at timestamptz(3) not null,
  updated_at timestamptz(3) not null
);
create index integrations_of_workspace on integrations (workspace_id, id desc);
create index integrations_of_author on integrations (created_by);
call millrace.protect('integrations', 'workspace_id = millrace.current_workspace_id()');
