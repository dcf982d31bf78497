-- One-time codes by the clock (RFC 6238), one secret a user. Without confirmed_at it is only offered: nobody has shown to have it yet.
create table totp_factors (
  user_id uuid primary key references users on delete cascade,
  -- In base32, encrypted.
  sealed_secret text not null,
  created_at timestamptz(3) not null,
  confirmed_at timestamptz(3),
  -- The 30-second step of the last code that was accepted. No code of it or of one before is accepted again.
  last_step bigint not null default 0,
  -- Wrong codes since a second factor of this user was last right.
  wrong_in_a_row integer not null default 0,
  blocked_until timestamptz(3)
);
call millrace.protect('totp_factors', 'false');

-- Only a SHA-256 is kept: a code is 100 random bits, which nobody finds by trying.
create table recovery_codes (
  user_id uuid not null references users on delete cascade,
  code_hash text not null,
  used_at timestamptz(3),
  primary key (user_id, code_hash)
);
call millrace.protect('recovery_codes', 'false');

-- Sign-ins whose first factor was right and whose second one is awaited. Removed by the one use that succeeds.
create table mfa_challenges (
  token_hash text primary key,
  user_id uuid not null references users on delete cascade,
  -- How the first factor was shown.
  method text not null,
  remember_me boolean not null,
  wrong_tries integer not null default 0,
  created_at timestamptz(3) not null,
  expires_at timestamptz(3) not null
);
create index mfa_challenges_of_user on mfa_challenges (user_id);
call millrace.protect('mfa_challenges', 'false');

-- Public keys of credentials that live on a user's devices (WebAuthn).
create table passkeys (
  id uuid primary key,
  user_id uuid not null references users on delete cascade,
  -- As the authenticator made it, in base64url; names one credential of one user among all.
  credential_id text not null unique,
  -- In COSE form (RFC 9053), base64url.
  public_key text not null,
  -- As of the last use. Authenticators that do not count say 0 always.
  counter bigint not null,
  -- How a browser may reach it: usb, nfc, ble, internal, hybrid.
  transports text[] not null,
  -- The model of the authenticator, all zeros when it does not say.
  aaguid uuid not null,
  -- May exist on several devices.
  is_synced boolean not null,
  name text not null,
  revision integer not null default 1,
  created_at timestamptz(3) not null,
  last_used_at timestamptz(3)
);
create index passkeys_of_user on passkeys (user_id);
call millrace.protect('passkeys', 'user_id = millrace.current_user_id()');
-- A request may list its user's own, name and remove them. Adding one is the product's work, after its signature was checked.
revoke insert, update on passkeys from millrace_app;
grant update (name, revision) on passkeys to millrace_app;

-- What a user is called towards authenticators: random, so that it tells nothing of the account.
create table passkey_handles (
  user_id uuid primary key references users on delete cascade,
  handle text not null unique
);
call millrace.protect('passkey_handles', 'false');

-- Challenges of ceremonies that succeeded, until they would have expired by themselves. The key is what makes each count once.
create table passkey_challenges_used (
  challenge_hash text primary key,
  expires_at timestamptz(3) not null
);
create index passkey_challenges_used_by_end on passkey_challenges_used (expires_at);
call millrace.protect('passkey_challenges_used', 'false');
