#!/usr/bin/env bash
# Tries what `make dist` left in target/dist: test.sh. The archives hold what the guide needs and no
# more; the sums are right; each bill of materials is the tree of its program; and a build of the
# same commit for x86_64 in another folder gives the same bytes.
set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")/.."
root=$PWD
out=$root/target/dist

fail() {
    echo "test-dist: $*" >&2
    exit 1
}
[ -f "$out/SHA256SUMS" ] || fail 'there is no target/dist/SHA256SUMS; run make dist first'

(cd "$out" && sha256sum --quiet -c SHA256SUMS) || fail 'a sum is wrong'
echo 'ok: the sums are right'

for archive in "$out"/pakyas-linux-*.tar.gz "$out"/pakyas-server-linux-*.tar.gz; do
    program=$(basename "$archive" | sed 's/-linux-.*//')
    listed=$(tar --numeric-owner -tvzf "$archive" | awk '{ print $1, $2, $NF }')
    [ "$listed" = "-rwxr-xr-x 0/0 $program" ] || fail "$archive has: $listed"
done
echo 'ok: each archive has its program at its top, and nothing else'

# Names and versions, one a line.
billed() {
    python3 -c '
import json, sys
for part in json.load(open(sys.argv[1]))["components"]:
    print(part["name"], part["version"])' "$1" | sort -u
}
built_from() { # TARGET OPTION...
    cargo tree --locked --edges normal --prefix none --format '{p}' --target "$@" |
        awk '$1 != "pakyas" { print $1, substr($2, 2) }' | sort -u
}
for file in "$out"/*.cdx.json; do
    target=$(basename "$file" .cdx.json | sed 's/.*-linux-//')-unknown-linux-musl
    [ "$target" != armv7-unknown-linux-musl ] || target=${target}eabihf
    options=()
    case $file in */pakyas-linux-*) options=(--no-default-features) ;; esac
    diff <(billed "$file") <(built_from "$target" "${options[@]}") ||
        fail "$file is not what the program is made of"
    grep -q "$root" "$file" && fail "$file names a folder of this machine"
done
billed "$out/pakyas-linux-x86_64.cdx.json" | grep -q sqlite && fail 'SQLite is in the client'
billed "$out/pakyas-server-linux-x86_64.cdx.json" | grep -q sqlite || fail 'no SQLite is in the server'
echo 'ok: each bill of materials is the tree of its program'

[ -z "$(git status --porcelain)" ] || fail 'commit first: the second build is one of the commit'
elsewhere=$root/target/test-dist/a-folder-with-another-name
rm -rf "$elsewhere"
git clone -q "$root" "$elsewhere"
mkdir "$elsewhere/target"
ln -s "$root/target/tools" "$elsewhere/target/tools"
"$elsewhere/dist/build.sh" x86_64
diff <(grep x86_64 "$out/SHA256SUMS") "$elsewhere/target/dist/SHA256SUMS" ||
    fail 'two builds differ; if target/dist is not of this commit, run make dist first'
rm -rf "$elsewhere"
echo 'ok: a build in another folder gives the same bytes'
