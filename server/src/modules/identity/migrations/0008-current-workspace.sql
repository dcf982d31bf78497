-- The workspace of a session is where its next access token starts, and whether the user still belongs there is looked at when one is made.
-- When a workspace is removed for good nobody is signed out for it.
alter table sessions drop constraint sessions_workspace_id_fkey;
drop index sessions_of_workspace;
