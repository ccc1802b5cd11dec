#!/bin/sh
# Installs the docker compose that server/test/deploy/compose.test.ts has read the compose files; it needs no Docker for that.
# As root, on Debian and its kin; run by .ci/run. Debian 12 has version 1 only.
set -eu
program=/usr/local/lib/docker/cli-plugins/docker-compose
if [ -x "$program" ] || [ -x /usr/libexec/docker/cli-plugins/docker-compose ]; then exit 0; fi
. "$(dirname "$0")/debian13.sh"
(cd "$work/packages" && debian13 download docker-compose)
dpkg-deb -x "$work"/packages/docker-compose_*.deb "$work/package"
mkdir -p "$(dirname "$program")"
install -m 755 "$work/package/usr/libexec/docker/cli-plugins/docker-compose" "$program"
"$program" version
