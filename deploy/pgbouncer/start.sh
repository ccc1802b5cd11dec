#!/bin/sh
# Writes the password of Messenger's role from the secret into PgBouncer's user list, then starts PgBouncer.
set -eu
secret=${PASSWORD_FILE:-/run/secrets/db_password}
[ -s "$secret" ] || { echo "The secret $secret is missing or empty." >&2; exit 78; }
umask 077
# Quotes are doubled in the list.
password=$(sed 's/"/""/g' "$secret")
printf '"%s" "%s"\n' "${DB_USER:-messenger}" "$password" > "${USER_LIST:-/run/pgbouncer/userlist.txt}"
exec pgbouncer "${1:-/etc/pgbouncer/pgbouncer.ini}"
