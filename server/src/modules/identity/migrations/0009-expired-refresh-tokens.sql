-- With each refresh the session's expired tokens go: found by their end, without a look at those of a month that have not expired.
create index refresh_tokens_of_session_by_end on refresh_tokens (session_id, expires_at);
drop index refresh_tokens_of_session;
