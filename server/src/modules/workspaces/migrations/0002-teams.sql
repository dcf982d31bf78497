-- A deleted workspace is kept, out of everybody's reach, until `purge_at`: the moment that its owners were told, whatever is configured later.
alter table workspaces
  add column deleted_at timestamptz(3),
  add column purge_at timestamptz(3),
  add check ((deleted_at is null) = (purge_at is null));
create index workspaces_to_purge on workspaces (purge_at) where purge_at is not null;

-- With an account its personal workspace loses its only member, and is removed like any other that nobody belongs to: what is kept of it in
-- tables that do not refer to it would stay for good if the row went at once.
alter table workspaces drop constraint workspaces_personal_of_fkey;
alter table workspaces add foreign key (personal_of) references users on delete set null;

-- Every slug that a workspace has or had: addresses with an old one go on working, and nobody else can take it and receive what is
-- sent there. The reference is checked at the end of the transaction, so that a slug can be claimed before its workspace is made.
create table workspace_slugs (
  slug text primary key,
  workspace_id uuid not null references workspaces on delete cascade deferrable initially deferred,
  created_at timestamptz(3) not null
);
create index workspace_slugs_of_workspace on workspace_slugs (workspace_id);
insert into workspace_slugs (slug, workspace_id, created_at)
select slug, id, created_at
from workspaces;
call millrace.protect('workspace_slugs', 'workspace_id = millrace.current_workspace_id()');
revoke insert, update, delete on workspace_slugs from millrace_app;

-- The list of members, and who of them are owners.
create index workspace_members_by_age on workspace_members (workspace_id, created_at, user_id);
create index workspace_owners on workspace_members (workspace_id, user_id) where role = 'owner';

-- Invitations that nobody has answered yet; what became of the others is in the event log. Of a token only the SHA-256 is kept.
create table workspace_invitations (
  id uuid primary key,
  workspace_id uuid not null references workspaces on delete cascade,
  email text not null check (email = lower(email) and length(email) between 3 and 254),
  role text not null check (role in ('owner', 'admin', 'member', 'viewer')),
  token_hash text not null unique,
  -- Whose right to invite is looked at again when it is accepted.
  invited_by uuid not null references users on delete cascade,
  created_at timestamptz(3) not null,
  -- When the mail with the token that is good now was sent.
  sent_at timestamptz(3) not null,
  expires_at timestamptz(3) not null,
  unique (workspace_id, email)
);
create index workspace_invitations_by_age on workspace_invitations (workspace_id, id desc);
create index workspace_invitations_of_address on workspace_invitations (email, id desc);
create index workspace_invitations_by_inviter on workspace_invitations (invited_by);
call millrace.protect('workspace_invitations', 'workspace_id = millrace.current_workspace_id()');
revoke insert, update, delete on workspace_invitations from millrace_app;
