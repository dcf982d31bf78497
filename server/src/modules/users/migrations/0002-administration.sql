-- What an admin's list of accounts is filtered by. Searching by a part of a name reads the whole table, which even for a hundred thousand
-- accounts takes some tens of milliseconds.
create index users_of_plan on users (plan, id);
create index users_switched_off on users (id) where not is_active;

-- How often somebody has signed in. Sessions are removed a while after they ended; this stays with the account.
create table sign_ins (
  user_id uuid primary key references users on delete cascade,
  total bigint not null,
  last_at timestamptz(3) not null
);
call millrace.protect('sign_ins', 'user_id = millrace.current_user_id()');
revoke insert, update, delete on sign_ins from millrace_app;
