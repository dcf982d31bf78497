-- Who an account is elsewhere: a subject of an issuer, by which that issuer's users sign in here. Never an e-mail address: those change hands.
create table identities (
  id uuid primary key,
  user_id uuid not null references users on delete cascade,
  issuer text not null check (length(issuer) between 1 and 1000),
  subject text not null check (length(subject) between 1 and 255),
  -- The provider's name in the configuration when it was linked; null for an issuer of access tokens.
  provider text check (length(provider) <= 40),
  -- What the issuer last said, to show to the owner.
  email text check (length(email) <= 254),
  created_at timestamptz(3) not null,
  last_used_at timestamptz(3) not null,
  unique (issuer, subject)
);
create index identities_of_user on identities (user_id);
call millrace.protect('identities', 'user_id = millrace.current_user_id()');
-- A request sees its own. Linking and unlinking is the product's work, after it made sure of who it is and what remains.
revoke insert, update, delete on identities from millrace_app;
