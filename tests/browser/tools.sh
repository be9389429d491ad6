#!/bin/sh
# Installs what tests/browser drives Chromium with, below DIR: tools.sh DIR
# From npm by its ordinary client, the versions of package-lock.json, and no script of theirs is
# run. Chromium and node are Debian's; they are installed where this is root's machine. What can't
# be had is said, and is an error under PAKYAS_CI only: the tests say then that they were skipped.
set -eu
if [ $# -ne 1 ]; then
    echo 'Usage: tools.sh DIR' >&2
    exit 2
fi
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
mkdir -p -- "$1"
tools=$(CDPATH='' cd -- "$1" && pwd)

cannot() {
    echo "tools.sh: $1; without it the tests in a browser are skipped" >&2
    [ -z "${PAKYAS_CI:-}" ] || exit 1
    exit 0
}

packages=''
command -v chromium >/dev/null 2>&1 || packages='chromium'
command -v node >/dev/null 2>&1 || packages="$packages nodejs"
command -v npm >/dev/null 2>&1 || packages="$packages npm"
if [ -n "$packages" ]; then
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
        cannot "missing here: $packages (Debian's names)"
    fi
    # One word for each package.
    # shellcheck disable=SC2086
    { apt-get update -q && DEBIAN_FRONTEND=noninteractive \
        apt-get install -qy --no-install-recommends $packages; } ||
        cannot "apt-get can't install $packages"
fi

stamp=$(cat -- "$here/package-lock.json" "$here/tools.sh" | sha256sum)
if [ -f "$tools/stamp" ] && [ "$(cat -- "$tools/stamp")" = "$stamp" ]; then
    exit 0
fi
rm -rf -- "$tools/node_modules" "$tools/stamp"
cp -- "$here/package.json" "$here/package-lock.json" "$tools/"
npm ci --silent --prefix "$tools" --ignore-scripts --no-audit --no-fund ||
    cannot 'npm can not fetch playwright-core and axe-core'
printf '%s\n' "$stamp" >"$tools/stamp"
