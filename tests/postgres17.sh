#!/usr/bin/env bash
# Puts Debian 13's PostgreSQL 17 (with zstd, lz4, ICU and OpenSSL) below a directory, and nothing into the system.
#   tests/postgres17.sh <directory>    its last line is the directory of programs, for RESTORECHECK_POSTGRES_17
# The packages come through apt with lists and sources of their own. They need a newer C library than Debian 12 has, so
# they run with the one they came with: each program is a two-line script that starts it by that library's loader.
set -euo pipefail
into=$(mkdir -p "${1:?usage: tests/postgres17.sh <directory>}" && cd "$1" && pwd)
bin=$into/root/usr/lib/postgresql/17/bin
if [ -x "$bin/pg_restore" ] && "$bin/pg_restore" --version >&2; then
    echo "$bin"
    exit 0
fi
command -v apt-get >/dev/null || { echo "there is no apt-get here" >&2; exit 1; }

state=$into/apt
mkdir -p "$state"/{lists/partial,cache/archives/partial,debs} "$into/root"
: >"$state/status"
# The mirror that this machine uses for its own suites, with the same proxy and the same keys.
mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
    grep -v '^#' | grep -oE 'https?://[^ ]+/debian/?( |$)' | head -n 1 | tr -d ' ' || true)
keys=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb [signed-by=$keys] ${mirror:-http://deb.debian.org/debian} trixie main" >"$state/sources.list"
apt=(apt-get -qq -o "Dir::Etc::SourceList=$state/sources.list" -o Dir::Etc::SourceParts=- -o "Dir::State=$state"
    -o "Dir::State::Lists=$state/lists" -o "Dir::State::Status=$state/status" -o "Dir::Cache=$state/cache"
    -o Dir::Cache::PkgCache= -o Dir::Cache::SrcPkgCache= -o APT::Sandbox::User=root -o Acquire::Languages=none)
"${apt[@]}" update >&2

# Only what these programs load: the packages' own lists of dependencies would bring in Perl, LLVM and systemd.
packages=(postgresql-17 postgresql-client-17 libpq5 libc6 libgcc-s1 libstdc++6 libzstd1 liblz4-1 zlib1g libssl3t64
    libicu76 libxml2 liblzma5 libldap2 libsasl2-2 libgssapi-krb5-2 libkrb5-3 libk5crypto3 libkrb5support0 libcom-err2
    libkeyutils1 libpam0g libaudit1 libcap-ng0 libselinux1 libpcre2-8-0 libsystemd0 libcap2 libreadline8t64 libedit2
    libtinfo6 libbsd0 libmd0 libnuma1 liburing2 libxslt1.1 libuuid1)
(cd "$state/debs" && "${apt[@]}" download "${packages[@]}" >&2)
for deb in "$state"/debs/*.deb; do dpkg-deb -x "$deb" "$into/root"; done
rm -rf "$state"

loader=$(find "$into/root" -name 'ld-linux-*.so.*' \( -type f -o -type l \) | head -n 1)
libraries=$(dirname "$loader"):$into/root/usr/lib/$(uname -m)-linux-gnu
for program in "$bin"/*; do
    if [ -L "$program" ] || [ "$(head -c 4 "$program" | tail -c 3)" != ELF ]; then continue; fi
    mv "$program" "$program.elf"
    printf '#!/bin/sh\nexec %q --argv0 "$0" --library-path %q %q "$@"\n' "$loader" "$libraries" "$program.elf" >"$program"
    chmod 755 "$program"
done
chmod -R a+rX "$into"
"$bin/postgres" --version >&2
"$bin/pg_restore" --version >&2
echo "$bin"
