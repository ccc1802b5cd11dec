# Sourced by scripts that need a package newer than the system's: `debian13 download NAME` is apt-get for Debian 13, from the
# mirror of this machine, with its lists in a folder of its own, `$work`, which is removed at the end.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/packages"
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -m 1 .) || { echo 'apt-get knows no mirror' >&2; exit 1; }
echo "deb $mirror trixie main" > "$work/sources.list"
debian13() {
  apt-get -qq -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=- -o Dir::State::lists="$work/lists" \
    -o Dir::Cache="$work/cache" -o APT::Sandbox::User=root "$@"
}
debian13 update
