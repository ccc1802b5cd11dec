#!/bin/sh
# Starts PgBouncer with the password of Messenger's role, which is a secret, in the list of users that it wants to have.
set -eu
secret=${PASSWORD_FILE:-/run/secrets/db_password}
[ -s "$secret" ] || { echo "The secret $secret is missing or empty." >&2; exit 78; }
umask 077
# In the list, a quote is written twice.
password=$(sed 's/"/""/g' "$secret")
printf '"%s" "%s"\n' "${DB_USER:-messenger}" "$password" > "${USER_LIST:-/run/pgbouncer/userlist.txt}"
exec pgbouncer "${1:-/etc/pgbouncer/pgbouncer.ini}"
