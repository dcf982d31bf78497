-- Replies to requests that carried an `Idempotency-Key`, kept for 24 hours. `scope` is a digest of who asked, for what, with which
-- key; `fingerprint` one of what was sent. `reply` is encrypted, because it may show a secret for the one time it is shown; while
-- it is null the request is running, until `claimed_until`.
create table idempotent_replies (
  scope text primary key,
  user_id uuid,
  fingerprint text not null,
  reply text,
  claim uuid,
  claimed_until timestamptz(3),
  created_at timestamptz(3) not null
);
create index idempotent_replies_age on idempotent_replies (created_at);

call millrace.protect('idempotent_replies', 'user_id is not distinct from millrace.current_user_id()');
