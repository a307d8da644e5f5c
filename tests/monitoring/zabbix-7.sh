#!/bin/sh
# Unpack Zabbix 7.0 of Debian 12's backports into /opt/zabbix-7.0, beside the 6.0 of Debian 12 itself, whose
# packages they would replace.
set -eu
folder=/opt/zabbix-7.0
[ ! -x "$folder/usr/sbin/zabbix_server" ] || exit 0

apt-get update -qq
apt-get install -y -qq --no-install-recommends libevent-extra-2.1-7 libevent-pthreads-2.1-7

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Codename: bookworm' | head -1)
echo "deb ${mirror%/} bookworm-backports main" >"$work/sources.list"
mkdir -p "$work/lists/partial"
chown -R _apt "$work"  # as whom apt downloads

# Only these two calls know of the backports.
apt() {
  apt-get -qq -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=/dev/null \
    -o Dir::State::Lists="$work/lists" "$@"
}
apt update
(cd "$work" && apt download zabbix-server-pgsql zabbix-frontend-php)

mkdir -p "$folder.part"
for package in "$work"/*.deb; do
  dpkg -x "$package" "$folder.part"
done
mv "$folder.part" "$folder"
