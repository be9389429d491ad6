#!/usr/bin/env bash
# Makes the release below target/dist: build.sh [TARGET...], each x86_64, aarch64 or armv7; all
# three where none is named. Both programs for each, static, with musl; their archives, what they
# are made of (CycloneDX), SHA256SUMS, and the bundle for machines without a network.
# build.sh --programs makes no more than the programs for this machine, below target/bench/bin.
#
# The compiler and linker of C is zig. The Rust library for musl is built here, with Debian's rustc,
# from Debian's source of it (way 2); where that can't be had it is rustup's (way 1), which makes
# larger programs. WAY=1 or WAY=2 allows one way only. What is missing is installed where that can
# be done.
#
# The same commit with the same tools gives the same bytes, in whatever folder.
set -euo pipefail
umask 022
export LC_ALL=C
cd "$(dirname "$0")/.."
root=$PWD
tools=$root/target/tools
out=$root/target/dist

# Versions of what the bytes depend on, beside rustc.
zig='ziglang==0.17.1'
zigbuild='cargo-zigbuild==0.24.0'
cyclonedx=0.5.9

# Bytes of a stripped program for x86_64.
declare -A budget=([pakyas]=2500000 [pakyas-server]=6000000)

say() { echo "dist: $*" >&2; }
fail() {
    say "$*"
    exit 1
}

triple() {
    case $1 in
    x86_64 | aarch64) echo "$1-unknown-linux-musl" ;;
    armv7) echo armv7-unknown-linux-musleabihf ;;
    *) fail "there is no target '$1'; choose from x86_64, aarch64, armv7" ;;
    esac
}

# Installs Debian's packages, or says which are wanted.
install_packages() {
    local sudo=()
    if [ "$(id -u)" -ne 0 ]; then
        sudo=(sudo -n)
        sudo -n true 2>/dev/null || fail "install these packages as root, then try again: apt-get install $*"
    fi
    command -v apt-get >/dev/null || fail "this machine has no apt-get; wanted is what Debian has in: $*"
    {
        "${sudo[@]}" apt-get update -q >&2 &&
            "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
                apt-get install -qy --no-install-recommends "$@" >&2
    } || fail "these packages could not be installed: $*"
}

# Whether rustup has the libraries of all targets, or can get them.
rustup_has_targets() {
    command -v rustup >/dev/null || return 1
    local target installed
    installed=$(rustup target list --installed 2>/dev/null) || return 1
    for target in "${targets[@]}"; do
        grep -qx "$(triple "$target")" <<<"$installed" ||
            timeout 300 rustup target add "$(triple "$target")" >/dev/null 2>&1 || return 1
    done
}

# Whether Debian's compiler is there with the source of its own library.
debian_has_source() {
    [ -x /usr/bin/rustc ] && [ -x /usr/bin/cargo ] || return 1
    [ -f "$(/usr/bin/rustc --print sysroot)/lib/rustlib/src/rust/library/Cargo.lock" ]
}

# The way that leaves out of the library what the programs do not use comes first: with rustup's
# the client is larger than it may be.
choose_way() {
    if [ "${WAY:-2}" = 2 ] &&
        { debian_has_source || { (install_packages rustc-web cargo-web rust-web-src) && debian_has_source; }; }; then
        way=2
    elif [ "${WAY:-1}" = 1 ] && rustup_has_targets; then
        way=1
    else
        fail 'there is no Rust library for musl here; wanted are rustc-web, cargo-web and rust-web-src of
      Debian, or a rustup that has or gets these: '"$(for target in "${targets[@]}"; do triple "$target"; done | xargs)"
    fi
}

install_zig() {
    # A folder of this release of the tools, so that another release is another folder.
    python=$tools/python-${zig#*==}-${zigbuild#*==}
    [ -x "$python/bin/cargo-zigbuild" ] && return
    command -v python3 >/dev/null || install_packages python3 python3-venv
    rm -rf "$python"
    python3 -m venv "$python" >&2 || {
        install_packages python3-venv
        python3 -m venv "$python" >&2
    }
    "$python/bin/pip" install -q --disable-pip-version-check "$zig" "$zigbuild" >&2 || {
        rm -rf "$python"
        fail "pip could not install $zig and $zigbuild from PyPI"
    }
}

install_cyclonedx() {
    [ -x "$tools/cargo/bin/cargo-cyclonedx" ] && return
    # Unoptimised: it takes longer to build than it ever runs.
    CARGO_TARGET_DIR=$tools/build cargo install -q --locked --debug --root "$tools/cargo" \
        --version "=$cyclonedx" cargo-cyclonedx >&2 || fail 'cargo-cyclonedx could not be installed'
    rm -rf "$tools/build"
}

# Runs cargo for a program and a target: PROGRAM TARGET COMMAND ARGUMENT... Each program has a
# folder of its own, so that both can be built at once.
cargo_for() {
    local folder=$root/target/static/$1 target=$2 command=$3
    shift 3
    local home=${CARGO_HOME:-$HOME/.cargo}
    local flags="--remap-path-prefix=$root=. --remap-path-prefix=$home/registry/src="
    # Nothing unwinds and nothing walks the stack: a defect says its place and ends the program.
    flags+=' -C force-unwind-tables=no'
    # What occurs in many places becomes a function; for aarch64 LLVM does so unasked.
    [ "$target" != x86_64 ] || flags+=' -C llvm-args=-enable-machine-outliner=always'
    local path=$python/bin:$PATH options=()
    local settings=(
        CARGO_TARGET_DIR="$folder"
        CARGO_ZIGBUILD_CACHE_DIR="$folder/zigbuild"
        CARGO_INCREMENTAL=0
        SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH"
        CFLAGS="-fno-asynchronous-unwind-tables -fno-unwind-tables -ffile-prefix-map=$root=. -ffile-prefix-map=$home/registry/src="
    )
    if [ "$target" = armv7 ]; then
        # Times of 64 bits, which musl has on machines of 32 too: without, they end in 2038. The
        # variable is for the older libc of the Rust library.
        flags+=' --cfg=libc_unstable_musl_v1_2'
        settings+=(RUST_LIBC_UNSTABLE_MUSL_V1_2_3=1)
    fi
    if [ "$way" = 2 ]; then
        local library
        library=$(readlink -f "$(/usr/bin/rustc --print sysroot)/lib/rustlib/src/rust")
        # zig has start files of its own, and its musl is made small where the link asks for it.
        flags+=" -C link-self-contained=no -C link-arg=-Os --remap-path-prefix=$library=rust"
        flags+=" -C link-arg=-Wl,-T,dist/static.ld"
        path=$python/bin:/usr/bin:/bin
        settings+=(CARGO=/usr/bin/cargo RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1)
        options=('-Zbuild-std=std,panic_abort' -Zbuild-std-features=optimize_for_size)
        # No text of ours is what {:?} makes, so nothing of it is kept. Two crates alone write with
        # it what others read: ureq-proto the HTTP version, serde_core the text where something else
        # was expected.
        options+=(-Zprofile-rustflags
            --config 'profile.release.rustflags = ["-Zfmt-debug=none"]'
            --config 'profile.release.package.ureq-proto.rustflags = []'
            --config 'profile.release.package.serde_core.rustflags = []')
    fi
    env -u RUSTUP_TOOLCHAIN -u RUSTC_WRAPPER "${settings[@]}" PATH="$path" RUSTFLAGS="$flags" \
        cargo-zigbuild "$command" --release --locked --target "$(triple "$target")" \
        "${options[@]}" "$@"
}

# What of the package a program is made from.
selection() {
    case $1 in
    pakyas) echo --no-default-features --bin pakyas ;;
    pakyas-server) echo --bin pakyas-server ;;
    esac
}

check_budget() {
    local program=$1 file=$2 bytes
    bytes=$(stat -c %s "$file")
    say "$program for x86_64: $bytes of ${budget[$program]} bytes"
    [ "$bytes" -le "${budget[$program]}" ] && return
    [ "$way" = 2 ] || say "rustup's library brings backtraces and unwind tables, which the one that" \
        'WAY=2 builds leaves out'
    fail "$program is too large; make size says what the bytes are"
}

# An archive with one file at its top, the same bytes for the same file.
pack() {
    tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner \
        --mode=755 -C "$1" -cf - "$2" | gzip -9n >"$3"
}

# What a program for a target is made of. The tool writes beside Cargo.toml, so it gets a copy.
bill() {
    local program=$1 target=$2 features=() copy
    [ "$program" = pakyas-server ] || features=(--no-default-features)
    copy=$(mktemp -d)
    mkdir "$copy/tests"
    cp -r Cargo.lock README.md src "$copy"
    # What the tests need would add to the features of what the programs need.
    sed '/^\[dev-dependencies\]/,/^$/d' Cargo.toml >"$copy/Cargo.toml"
    cp -r tests/bench tests/demo "$copy/tests"
    (
        cd "$copy"
        "$tools/cargo/bin/cargo-cyclonedx" cyclonedx -q --format json --describe binaries \
            --target "$(triple "$target")" --no-build-deps "${features[@]}"
    )
    # The tool also lists what a crate could use but does not (tokio, of lettre): cargo tree knows.
    (
        cd "$copy"
        cargo tree --locked --edges normal --prefix none --format '{p}' \
            --target "$(triple "$target")" "${features[@]}"
    ) >"$copy/tree"
    # Where the copy lay differs from run to run, and is nobody's business.
    python3 - "$copy/${program}_bin.cdx.json" "$copy/tree" <<'EOF' |
import json, sys
bill, tree = json.load(open(sys.argv[1])), open(sys.argv[2]).read().split("\n")
used = {(line.split()[0], line.split()[1][1:]) for line in tree if line}
gone = {part["bom-ref"] for part in bill["components"] if (part["name"], part["version"]) not in used}
bill["components"] = [part for part in bill["components"] if part["bom-ref"] not in gone]
bill["dependencies"] = [part for part in bill["dependencies"] if part["ref"] not in gone]
for part in bill["dependencies"]:
    if "dependsOn" in part:
        part["dependsOn"] = [ref for ref in part["dependsOn"] if ref not in gone]
print(json.dumps(bill, indent=2))
EOF
        sed "s|$copy|.|g" >"$out/$program-linux-$target.cdx.json"
    rm -rf "$copy"
}

build() {
    local program=$1 target=$2
    local built
    built=$root/target/static/$program/$(triple "$target")/release
    say "building $program for $target (way $way)"
    # shellcheck disable=SC2046
    cargo_for "$program" "$target" zigbuild $(selection "$program")
    install -m 755 "$built/$program" "$out/linux-$target/$program"
    [ "$target" != x86_64 ] || check_budget "$program" "$built/$program"
    pack "$out/linux-$target" "$program" "$out/$program-linux-$target.tar.gz"
}

# Both programs at once: most of the time is the optimiser's, which takes one processor.
build_both() {
    local target=$1 client server
    mkdir -p "$out/linux-$target"
    build pakyas "$target" &
    client=$!
    build pakyas-server "$target" &
    server=$!
    wait "$client" || fail "pakyas for $target could not be built"
    wait "$server" || fail "pakyas-server for $target could not be built"
}

# What the bytes of a program are: the same build with its symbols, grouped by crate.
measure() {
    local program=$1 file
    file=$root/target/static/$program/$(triple x86_64)/release/$program
    # shellcheck disable=SC2046
    cargo_for "$program" x86_64 rustc $(selection "$program") -- -C strip=none >&2
    echo "$program, bytes for each crate (C: ring's and SQLite's C and assembler, musl, tables):"
    nm -C -S --size-sort -t d "$file" | awk '
        $3 !~ /[bB]/ {
            name = $0
            sub(/^[0-9]+ [0-9]+ . /, "", name)
            crate = "C"
            sub(/^[<&(*[]*(dyn |mut |const )*/, "", name)
            if (match(name, /^[a-z_0-9]+(\[[0-9a-f]+\])?::/)) {
                crate = substr(name, 1, RLENGTH - 2)
                sub(/\[.*/, "", crate)
            }
            bytes[crate] += $2
        }
        END { for (crate in bytes) printf "%9d %s\n", bytes[crate], crate }' | sort -rn | head -40
    echo "sections:"
    size -A "$file" | awk '$2 > 1000 && $3 > 0 && $1 ~ /^\./ { printf "%9d %s\n", $2, $1 }' | sort -rn
}

SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 1)}
export SOURCE_DATE_EPOCH
if [ "${1:-}" = --size ]; then
    targets=(x86_64)
    choose_way
    install_zig
    measure pakyas
    measure pakyas-server
    exit
fi
if [ "${1:-}" = --programs ]; then
    case $(uname -m) in
    armv7*) targets=(armv7) ;;
    *) targets=("$(uname -m)") ;;
    esac
    triple "${targets[0]}" >/dev/null
    choose_way
    install_zig
    for program in pakyas pakyas-server; do
        # shellcheck disable=SC2046
        cargo_for "$program" "${targets[0]}" zigbuild $(selection "$program")
        install -D -m 755 "$root/target/static/$program/$(triple "${targets[0]}")/release/$program" \
            "$root/target/bench/bin/$program"
    done
    exit
fi
targets=("$@")
[ $# -gt 0 ] || targets=(x86_64 aarch64 armv7)
for target in "${targets[@]}"; do triple "$target" >/dev/null; done
command -v cargo >/dev/null || fail 'there is no cargo; install Rust with rustup or from the distribution'
choose_way
install_zig
rm -rf "$out"
mkdir -p "$out"
# The smaller program is built before the larger one is: there is a processor left by then.
install_cyclonedx &
cyclonedx=$!
for target in "${targets[@]}"; do build_both "$target"; done
wait "$cyclonedx" || fail 'the bills of materials can not be written'
for target in "${targets[@]}"; do
    bill pakyas "$target"
    bill pakyas-server "$target"
done
if [ -f dist/airgap.sh ] && [ -d "$out/linux-x86_64" ]; then
    bash dist/airgap.sh "$out/linux-x86_64" "$out"
fi
(cd "$out" && sha256sum -- *.tar.gz *.cdx.json >SHA256SUMS)
say "done: $out"
