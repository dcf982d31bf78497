-- Who has an account. The password is not here: it has a table of its own that no read type of this one can reach.
create table users (
  id uuid primary key,
  -- Lower case, as `users.ts` normalises it: one address, one account, however it is typed.
  email text not null unique check (email = lower(email) and length(email) between 3 and 254),
  username text not null unique check (username = lower(username) and length(username) between 2 and 39),
  name text check (length(name) <= 200),
  avatar_url text check (length(avatar_url) <= 2048),
  role text not null default 'user' check (role in ('admin', 'user')),
  plan text not null check (plan in ('free', 'basic', 'premium', 'enterprise')),
  is_active boolean not null default true,
  email_verified boolean not null default false,
  -- What the account's owner stores for their own programs; opaque to us.
  settings json not null default '{}',
  revision integer not null default 1,
  created_at timestamptz(3) not null,
  updated_at timestamptz(3) not null
);
create index users_admins on users (id) where role = 'admin';
call millrace.protect('users', 'id = millrace.current_user_id()');
-- What a request may change of its own row. Role, plan and standing are the product's to change, never the caller's.
revoke insert, update, delete on users from millrace_app;
grant update (name, username, avatar_url, settings, revision, updated_at) on users to millrace_app;
