#!/bin/sh
# Installs the promtool that server/test/deploy/alerts.test.ts needs. As root, on Debian and its kin; run by .ci/run.
# The package holds a service, too, which would start: only the program is taken out of it.
set -eu
if command -v promtool >/dev/null; then exit 0; fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
apt-get update -qq
(cd "$work" && apt-get download -qq -o APT::Sandbox::User=root prometheus)
dpkg-deb -x "$work"/prometheus_*.deb "$work/package"
install -m 755 "$work/package/usr/bin/promtool" /usr/local/bin/promtool
promtool --version
