-- What somebody asked to have of all that is known about them: written by a job, in parts that no memory has to hold together, and removed
-- a week later.
create table personal_exports (
  id uuid primary key,
  user_id uuid not null references users on delete cascade,
  status text not null check (status in ('running', 'ready', 'failed')),
  size_bytes bigint,
  created_at timestamptz(3) not null,
  finished_at timestamptz(3),
  expires_at timestamptz(3)
);
create index personal_exports_of_user on personal_exports (user_id, id desc);
-- One at a time: who asks twice at the same moment is told so.
create unique index personal_exports_running on personal_exports (user_id) where status = 'running';
call millrace.protect('personal_exports', 'user_id = millrace.current_user_id()');
revoke insert, update, delete on personal_exports from millrace_app;

create table personal_export_parts (
  export_id uuid not null references personal_exports on delete cascade,
  seq integer not null,
  body text not null,
  primary key (export_id, seq)
);
call millrace.protect(
  'personal_export_parts',
  'exists (select from personal_exports e where e.id = export_id and e.user_id = millrace.current_user_id())'
);
revoke insert, update, delete on personal_export_parts from millrace_app;
