-- What programs show instead of a sign-in. A key is its owner's, in the one workspace it was made in.
create table api_keys (
  id uuid primary key,
  user_id uuid not null references users on delete cascade,
  workspace_id uuid not null references workspaces on delete cascade,
  name text not null check (length(name) between 1 and 200),
  -- SHA-256 of the whole key, in base64url. 192 of its bits are random, so nothing slower is needed.
  key_hash text not null,
  -- Those it was given. What it may do is what its owner may do at that moment, of these.
  permissions text[] not null check (cardinality(permissions) between 1 and 200),
  expires_at timestamptz(3),
  -- A quota of its own below that of the plan.
  requests_per_hour integer check (requests_per_hour > 0),
  -- As of about the last minute.
  last_used_at timestamptz(3),
  last_used_address text,
  revision integer not null default 1,
  created_at timestamptz(3) not null,
  updated_at timestamptz(3) not null
);
create index api_keys_of_user on api_keys (user_id, id);
create index api_keys_of_workspace on api_keys (workspace_id);
call millrace.protect('api_keys', 'user_id = millrace.current_user_id()');
-- A request sees its user's own, and of none the hash. Giving them out, changing and removing them is the product's work.
revoke all on api_keys from millrace_app;
grant select (
  id,
  user_id,
  workspace_id,
  name,
  permissions,
  expires_at,
  requests_per_hour,
  last_used_at,
  last_used_address,
  revision,
  created_at,
  updated_at
) on api_keys to millrace_app;
