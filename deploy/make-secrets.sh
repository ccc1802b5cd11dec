#!/bin/sh
# Creates missing secrets of compose.yaml, each a random word in a file. Existing ones stay unchanged.
set -eu
folder="$(dirname "$0")/secrets"
mkdir -p "$folder"
# Containers read the files as their own users; on this machine the folder is private.
chmod 700 "$folder"
for name in postgres_password db_password replication_password metrics_token grafana_password; do
  [ -s "$folder/$name" ] || head -c 24 /dev/urandom | base64 | tr '+/' '-_' > "$folder/$name"
  chmod 644 "$folder/$name"
done
