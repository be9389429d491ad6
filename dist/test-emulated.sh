#!/usr/bin/env bash
# Tries the programs of target/dist for another machine under qemu: test-emulated.sh ARCH, which
# is aarch64 or armv7. A chosen part of the black-box tests: what pakyas does with signals, pipes,
# children and TLS, and what the server does with pings and alerts. Left out is what tries qemu
# and not the program: /proc, process 1, measured memory, and what is started with no /bin.
set -euo pipefail
cd "$(dirname "$0")/.."

case ${1:-} in
aarch64) emulator=qemu-aarch64-static ;;
armv7) emulator=qemu-arm-static ;;
*)
    echo 'Usage: test-emulated.sh aarch64|armv7' >&2
    exit 2
    ;;
esac
emulator=$(command -v "$emulator") || {
    echo 'test-emulated: there is no qemu; install it with: apt-get install qemu-user-static' >&2
    exit 1
}
programs=$PWD/target/dist/linux-$1
wrappers=$PWD/target/emulated/$1
mkdir -p "$wrappers"
for program in pakyas pakyas-server; do
    [ -x "$programs/$program" ] || {
        echo "test-emulated: $programs has no $program; run make dist TARGETS=$1 first" >&2
        exit 1
    }
    printf '#!/bin/sh\nexec %s %s "$@"\n' "$emulator" "$programs/$program" >"$wrappers/$program"
    chmod 755 "$wrappers/$program"
done
export PAKYAS_BIN=$wrappers/pakyas PAKYAS_SERVER_BIN=$wrappers/pakyas-server

"$PAKYAS_BIN" whoami --format json 2>/dev/null || [ $? -eq 5 ]
# The one that is left out kills the server right after a delivery: so slow a server has not noted
# it yet, and delivers once more.
cargo test --locked --test all -- monitor::report:: monitor::timeout:: monitor::network:: \
    delivery::tls:: server::pings:: end_to_end:: server::alerts:: \
    --skip a_deadline_that_passes_while_the_server_is_down

# A clock past the end of 32-bit times. faketime reaches no static program, but the qemu that is not
# one: it gives the program the time that the C library gives itself.
if ! command -v "${emulator%-static}" >/dev/null || ! command -v faketime >/dev/null; then
    echo 'test-emulated: times after 2038 need: apt-get install qemu-user faketime' >&2
    exit 1
fi
in_2040=$wrappers-in-2040
mkdir -p "$in_2040"
# The library without the command: that would run the program as a child of its own, which a test
# that ends the process it started leaves behind.
library=$(faketime -f '+0' printenv LD_PRELOAD)
for program in pakyas pakyas-server; do
    printf "#!/bin/sh\nexec env %s '%s' '%s' %s %s \"\$@\"\n" \
        FAKETIME_DONT_FAKE_MONOTONIC=1 'FAKETIME=@2040-02-03 04:05:06' "LD_PRELOAD=$library" \
        "${emulator%-static}" "$programs/$program" >"$in_2040/$program"
    chmod 755 "$in_2040/$program"
done
PAKYAS_BIN=$in_2040/pakyas PAKYAS_SERVER_BIN=$in_2040/pakyas-server PAKYAS_TEST_YEAR=2040 \
    cargo test --locked --test all -- a_clock_past_2038
