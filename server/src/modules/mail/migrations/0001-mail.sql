-- Mails to be delivered, and those of the last thirty days. What stands in a mail is for its recipient alone: text and HTML are sealed, and
-- removed once the mail was sent.
create table mails (
  id uuid primary key,
  workspace_id uuid,
  -- The account it is about, if there is one; not a foreign key, because the mail tells of accounts that are no more.
  user_id uuid,
  kind text not null check (length(kind) between 1 and 100),
  recipient text not null check (length(recipient) between 3 and 254),
  subject text not null check (length(subject) between 1 and 200),
  -- The same at every attempt, so that a mail that arrives twice is known for one.
  message_id text not null,
  body text,
  -- queued: on its way. kept: no SMTP server is configured, an admin reads it here. dropped: too many of its kind to one address.
  status text not null default 'queued' check (status in ('queued', 'sent', 'failed', 'kept', 'dropped')),
  -- What the SMTP server said, or why there was none.
  error text,
  attempts integer not null default 0,
  attempted_at timestamptz(3),
  -- The execution that delivers it; a second one finds it taken.
  execution_id uuid,
  created_at timestamptz(3) not null,
  ended_at timestamptz(3)
);
create index mails_of_recipient on mails (lower(recipient), kind, created_at);
create index mails_of_user on mails (user_id) where user_id is not null;
create index mails_attempted on mails (attempted_at) where attempted_at is not null;
-- A request may put a mail into the post, for its own workspace, and never look at one.
call millrace.protect('mails', 'false', 'workspace_id is not distinct from millrace.current_workspace_id()');
revoke select, update, delete on mails from millrace_app;
