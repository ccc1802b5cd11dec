#!/bin/sh
# Makes the secrets of compose.yaml that are not there yet, each a random word in a file. What is there stays as it is.
set -eu
folder="$(dirname "$0")/secrets"
mkdir -p "$folder"
# Containers read the files, as users of their own; on this machine nobody else gets into the folder.
chmod 700 "$folder"
for name in postgres_password db_password replication_password metrics_token grafana_password; do
  [ -s "$folder/$name" ] || head -c 24 /dev/urandom | base64 | tr '+/' '-_' > "$folder/$name"
  chmod 644 "$folder/$name"
done
