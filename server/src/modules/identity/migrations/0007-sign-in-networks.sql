-- Where an account was signed in to lately: the places from which its owner still gets in while somebody guesses at its password from many
-- others. Rows are 90 days old at most, and 200 a user.
create table sign_in_networks (
  user_id uuid not null references users on delete cascade,
  -- An IPv4 address, or the first 64 bits of an IPv6 address.
  network text not null check (length(network) between 1 and 64),
  -- As of about the last day.
  last_seen_at timestamptz(3) not null,
  primary key (user_id, network)
);
call millrace.protect('sign_in_networks', 'false');
