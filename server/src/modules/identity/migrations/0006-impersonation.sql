-- A session in which an admin acts as the user. It ends with the admin's own session, and has no refresh token.
alter table sessions
  add column impersonator_id uuid references users on delete cascade,
  add column impersonator_session_id uuid references sessions on delete cascade,
  add constraint sessions_impersonated_check check ((impersonator_id is null) = (impersonator_session_id is null)),
  add constraint sessions_not_as_oneself_check check (impersonator_id <> user_id);
create index sessions_of_impersonator on sessions (impersonator_session_id) where impersonator_session_id is not null;
create index sessions_by_impersonator on sessions (impersonator_id) where impersonator_id is not null;

-- Who ends a session of theirs ends with it those in which they act as somebody else.
drop policy app on sessions;
create policy app on sessions to millrace_app
  using (user_id = millrace.current_user_id() or impersonator_id = millrace.current_user_id())
  with check (user_id = millrace.current_user_id() or impersonator_id = millrace.current_user_id());
