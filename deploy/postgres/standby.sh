#!/bin/bash
# Entry of the standby's container: copies the primary when the volume is empty, then starts as the image does. The arguments
# are the server's command line.
set -euo pipefail
umask 077
: "${PRIMARY_HOST:?}" "${REPLICATION_PASSWORD_FILE:?}" "${PGDATA:?}"

# Written anew with each start, so that a new password is one restart away. `\` and `:` have a meaning in it.
password_file="$(dirname "$(dirname "$PGDATA")")/.pgpass"
password=$(sed 's/[\\:]/\\&/g' "$REPLICATION_PASSWORD_FILE")
printf '*:*:*:replicator:%s\n' "$password" > "$password_file"

# Under another name until it is whole: what a cut left behind is no database.
copy_primary() {
  local unfinished="$PGDATA.unfinished"
  rm -rf "$unfinished"
  mkdir -p "$unfinished"
  pg_basebackup --pgdata="$unfinished" --no-password --checkpoint=fast --wal-method=stream --slot=messenger_standby \
    --write-recovery-conf --dbname="host=$PRIMARY_HOST port=${PRIMARY_PORT:-5432} user=replicator passfile=$password_file application_name=messenger_standby"
  rm -rf "$PGDATA"
  mv "$unfinished" "$PGDATA"
}

if [ ! -s "$PGDATA/PG_VERSION" ]; then
  echo "There is no copy of the primary in $PGDATA yet: making one." >&2
  copy_primary
fi
exec docker-entrypoint.sh "$@"
