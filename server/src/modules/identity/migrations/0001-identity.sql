-- Password hashes, apart from the users: nothing that reads a user can read one.
create table user_passwords (
  user_id uuid primary key references users on delete cascade,
  -- PHC string: $argon2id$v=19$m=…,t=…,p=…$salt$hash
  hash text not null,
  updated_at timestamptz(3) not null
);
call millrace.protect('user_passwords', 'false');

-- One sign-in on one device. The family of its refresh tokens is the session.
create table sessions (
  id uuid primary key,
  user_id uuid not null references users on delete cascade,
  -- The workspace that access tokens of this session start in.
  workspace_id uuid not null references workspaces on delete cascade,
  remember_me boolean not null,
  user_agent text,
  address text,
  created_at timestamptz(3) not null,
  last_seen_at timestamptz(3) not null,
  -- When its newest refresh token expires; moves on with each refresh, never beyond expires_at.
  idle_expires_at timestamptz(3) not null,
  expires_at timestamptz(3) not null,
  revoked_at timestamptz(3),
  revoked_reason text check (revoked_reason in ('logout', 'logout_all', 'removed', 'refresh_reused', 'deactivated', 'too_many')),
  check ((revoked_at is null) = (revoked_reason is null))
);
-- Ended sessions stay for a while; who signs in often must not pay for reading past them.
create index sessions_live on sessions (user_id, last_seen_at desc) where revoked_at is null;
create index sessions_by_end on sessions (user_id, idle_expires_at);
create index sessions_of_workspace on sessions (workspace_id);
call millrace.protect('sessions', 'user_id = millrace.current_user_id()');
-- A request may look at its own sessions and end them. Opening one is the product's work, after the password was checked.
revoke insert, update, delete on sessions from millrace_app;
grant update (revoked_at, revoked_reason) on sessions to millrace_app;

-- Only the SHA-256 of a token is kept. A token has at most one child: the unique key is what makes a rotation happen once.
create table refresh_tokens (
  token_hash text primary key,
  session_id uuid not null references sessions on delete cascade,
  parent_hash text unique,
  created_at timestamptz(3) not null,
  expires_at timestamptz(3) not null,
  used_at timestamptz(3)
);
create index refresh_tokens_of_session on refresh_tokens (session_id);
call millrace.protect('refresh_tokens', 'false');

-- One-time links for the first admin; only the SHA-256 is kept.
create table setup_tokens (
  token_hash text primary key,
  created_at timestamptz(3) not null,
  expires_at timestamptz(3) not null
);
call millrace.protect('setup_tokens', 'false');
