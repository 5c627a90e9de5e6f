#!/bin/sh
# Installs the database servers and clients that dumps are restored with. Runs while the image is built, as root.
#   programs.sh postgresql "14 15 16 17 18" https://apt.postgresql.org/pub/repos/apt "en_US.UTF-8"
#   programs.sh mariadb
# An empty address takes what Debian itself has. Nothing is started, and no database is made. Locales are those that
# columns of a dump may be sorted by: what is not there, a restore complains about.
set -eu

install() {
    DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 install -y --no-install-recommends "$@" >/dev/null
}

postgresql() {
    majors=$1 archive=$2 locales=$3
    apt-get -qq update
    install postgresql-common
    echo 'create_main_cluster = false' >>/etc/postgresql-common/createcluster.conf
    if [ -n "$archive" ]; then # its key came with postgresql-common, which Debian's own keys vouch for
        . /etc/os-release
        install ca-certificates
        echo "deb [signed-by=/usr/share/postgresql-common/pgdg/apt.postgresql.org.gpg] $archive $VERSION_CODENAME-pgdg main" \
            >/etc/apt/sources.list.d/pgdg.list
        apt-get -qq update
    fi
    for major in $majors; do
        install "postgresql-$major"
        "/usr/lib/postgresql/$major/bin/postgres" --version
        "/usr/lib/postgresql/$major/bin/pg_restore" --version
    done
    for locale in $locales; do
        localedef -i "${locale%%.*}" -f "${locale#*.}" "$locale"
    done
}

mariadb() {
    apt-get -qq update
    install mariadb-server-core mariadb-client-core
    mariadbd --version
}

case "$1" in
    postgresql) postgresql "$2" "$3" "$4" ;;
    mariadb) mariadb ;;
    *) echo "programs.sh: there is no $1" >&2; exit 2 ;;
esac
rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log /var/log/alternatives.log
