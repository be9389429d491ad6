#!/bin/sh
# Makes the bundle for machines without a network: airgap.sh BUILD_DIR OUT_DIR
# BUILD_DIR has pakyas and pakyas-server, static, for x86_64. Out comes
# OUT_DIR/pakyas-airgap-linux-x86_64.tar.gz, the same bytes for the same commit and programs.
set -eu
umask 022
LC_ALL=C
export LC_ALL

if [ $# -ne 2 ]; then
    echo 'Usage: airgap.sh BUILD_DIR OUT_DIR' >&2
    exit 2
fi
mkdir -p -- "$2"
build=$(CDPATH='' cd -- "$1" && pwd)
out=$(CDPATH='' cd -- "$2" && pwd)
cd -- "$(dirname -- "$0")/.."
name=pakyas-airgap-linux-x86_64
for program in pakyas pakyas-server; do
    if [ ! -x "$build/$program" ]; then
        echo "airgap.sh: $build has no $program; run make dist TARGETS=x86_64 first" >&2
        exit 1
    fi
done

work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
top=$work/$name
mkdir "$top"
put() { # MODE FROM TO
    mkdir -p -- "$(dirname -- "$top/$3")"
    install -m "$1" -- "$2" "$top/$3"
}

put 755 "$build/pakyas" bin/pakyas
put 755 "$build/pakyas-server" bin/pakyas-server
put 755 dist/airgap/install.sh install.sh
put 644 dist/airgap/README.txt README.txt
put 644 LICENSE LICENSE.txt
put 644 README.md doc/README.txt
sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1 >"$top/VERSION"
dist/licences.sh x86_64-unknown-linux-musl >"$top/doc/LICENSES.txt"
for unit in dist/systemd/*.service dist/systemd/*.timer; do
    put 644 "$unit" "systemd/${unit##*/}"
done
mkdir "$top/examples"
# The files of dist/examples are beside it here, and who reads this has the bundle.
sed -e 's/.examples\//`/g' -e '/^| machines without a network/d' \
    -e '/^For those who change this/,$d' dist/README.md >"$top/examples/README.txt"
chmod 644 "$top/examples/README.txt"
for folder in examples docker kubernetes ci systemd; do
    find "dist/$folder" -type f | while read -r file; do
        to=${file#dist/}
        put 644 "$file" "examples/${to#examples/}"
    done
done

# What the client says of itself; a build that has no such command has no such file.
ask() { # TO ARGUMENT...
    to=$top/$1
    shift
    mkdir -p -- "$(dirname -- "$to")"
    if ! "$build/pakyas" "$@" >"$to" 2>/dev/null || [ ! -s "$to" ]; then
        rm -f -- "$to"
        rmdir -- "$(dirname -- "$to")" 2>/dev/null || :
        echo "airgap.sh: 'pakyas $*' prints nothing here; the bundle goes without it" >&2
    fi
}
ask man/pakyas.1 man
ask completions/pakyas.bash completion bash
ask completions/_pakyas completion zsh
ask completions/pakyas.fish completion fish
put 644 dist/man/pakyas-server.8 man/pakyas-server.8

(cd -- "$top" && find . -type f | sed 's|^\./||' | sort | xargs sha256sum) >"$work/sums"
mv -- "$work/sums" "$top/SHA256SUMS"
# The time of the commit, so that a later build of it is the same.
date=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
tar -C "$work" --sort=name --format=ustar --mtime="@$date" --owner=0 --group=0 --numeric-owner \
    --mode=u=rwX,go=rX -cf "$work/bundle.tar" "$name"
gzip -9n <"$work/bundle.tar" >"$out/.$name.tar.gz"
mv -f -- "$out/.$name.tar.gz" "$out/$name.tar.gz"
echo "$out/$name.tar.gz"
