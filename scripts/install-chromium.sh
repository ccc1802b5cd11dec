#!/bin/sh
# Installs the browser that server/test/ops.e2e.ts drives. As root, on Debian and its kin; run by .ci/run.
set -eu
export DEBIAN_FRONTEND=noninteractive
if [ -x /usr/bin/chromium ]; then exit 0; fi
apt-get update -qq
exec apt-get install -y -qq --no-install-recommends chromium
