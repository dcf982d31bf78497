-- Keys that values are encrypted with. Each is itself stored encrypted, under the master key that only the servers hold, so
-- that another master key means to write these few rows again and no others. The youngest (by id, a UUIDv7) encrypts.
create table secret_keys (
  id uuid primary key,
  wrapped text not null,
  created_at timestamptz(3) not null default now()
);
call millrace.protect('secret_keys', 'false');

-- Secrets of the product itself, by name: the keys that sign access tokens, for one.
create table secrets (
  name text primary key,
  sealed text not null,
  created_at timestamptz(3) not null default now(),
  updated_at timestamptz(3) not null default now()
);
call millrace.protect('secrets', 'false');
