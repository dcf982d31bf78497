-- Somebody is on the way to a service and back, to give their consent. The state that the browser carries is known by its hash alone.
create table integration_consents (
  state_hash text primary key,
  integration_id uuid not null references integrations on delete cascade,
  workspace_id uuid not null,
  user_id uuid not null references users on delete cascade,
  session_id uuid not null,
  browser_hash text not null,
  -- Of PKCE (RFC 7636), sealed.
  verifier text not null,
  redirect_to text not null check (length(redirect_to) <= 2100),
  -- Of the integration when it began: a change in between ends it.
  revision integer not null,
  created_at timestamptz(3) not null,
  expires_at timestamptz(3) not null
);
create index integration_consents_of_integration on integration_consents (integration_id);
create index integration_consents_of_user on integration_consents (user_id);
create index integration_consents_by_end on integration_consents (expires_at);
call millrace.protect('integration_consents', 'workspace_id = millrace.current_workspace_id()');

-- One process at a time asks a service for new tokens; a dead one is not waited for.
alter table integrations add column renewing_until timestamptz(3);
