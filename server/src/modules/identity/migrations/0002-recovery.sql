-- What is good for one use and a short time: links by mail, challenges between two steps of a sign-in. Only the SHA-256 of a token is kept.
create table one_time_tokens (
  token_hash text primary key,
  -- What it is good for, in the words of the part that gives it out; a token of one purpose is nothing to another.
  purpose text not null check (purpose ~ '^[a-z][a-z_]{1,39}$'),
  -- Null where nobody is known yet, as between two steps of a sign-in.
  user_id uuid references users on delete cascade,
  data json not null,
  created_at timestamptz(3) not null,
  expires_at timestamptz(3) not null
);
create index one_time_tokens_of_user on one_time_tokens (user_id, purpose);
create index one_time_tokens_by_end on one_time_tokens (expires_at);
call millrace.protect('one_time_tokens', 'false');

-- Why sessions end beyond what the first version knew of. The words are checked where they are written.
alter table sessions drop constraint sessions_revoked_reason_check;
