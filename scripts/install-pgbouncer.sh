#!/bin/sh
# Installs the PgBouncer that server/test/pooled*.pg.test.ts need, 1.21 or newer. As root, on Debian and its kin; run by .ci/run.
# Where the system's own is older (1.18 in Debian 12), Debian 13's package goes, with its own libraries, into a folder of its own.
set -eu
export DEBIAN_FRONTEND=noninteractive
folder=/usr/local/lib/messenger-pgbouncer
program=/usr/local/sbin/pgbouncer

is_new_enough() { dpkg --compare-versions "$1" ge 1.21; }
installed() { PATH="$PATH:/usr/local/sbin:/usr/sbin" pgbouncer --version 2>/dev/null | sed -n 's/^PgBouncer //p'; }

if is_new_enough "$(installed || echo 0)"; then exit 0; fi
apt-get update -qq
candidate=$(apt-cache policy pgbouncer | sed -n 's/^ *Candidate: //p')
if is_new_enough "${candidate:-0}"; then exec apt-get install -y -qq --no-install-recommends pgbouncer; fi

. "$(dirname "$0")/debian13.sh"
(cd "$work/packages" && debian13 download pgbouncer libc6 libevent-2.1-7t64 libssl3t64 libcares2 libpam0g libaudit1 \
  libcap-ng0 libsystemd0 libcap2 libzstd1 libgcc-s1 zlib1g)
rm -rf "$folder"
for package in "$work"/packages/*.deb; do dpkg-deb -x "$package" "$folder"; done

loader=$(find "$folder/usr/lib" -name 'ld-linux-*' | head -n 1)
cat > "$program" <<WRAPPER
#!/bin/sh
exec $loader --library-path $(dirname "$loader") $folder/usr/sbin/pgbouncer "\$@"
WRAPPER
chmod 755 "$program"
installed
