#!/bin/bash
# Entry point of the standby's container: copies the primary if the volume is empty, then starts like the image. Arguments: the
# server's command line.
set -euo pipefail
umask 077
: "${PRIMARY_HOST:?}" "${REPLICATION_PASSWORD_FILE:?}" "${PGDATA:?}"

# Rewritten at each start, so a restart applies a new password. `\` and `:` are escaped.
password_file="$(dirname "$(dirname "$PGDATA")")/.pgpass"
password=$(sed 's/[\\:]/\\&/g' "$REPLICATION_PASSWORD_FILE")
printf '*:*:*:replicator:%s\n' "$password" > "$password_file"

# Renamed when complete: an interrupted copy is no database.
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
