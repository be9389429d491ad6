#!/bin/sh
# Lays out what the two images of scratch are built from: context.sh BUILD_DIR CONTEXT_DIR
# BUILD_DIR has the static programs, as target/dist/linux-x86_64 after `make dist`.
set -eu
umask 022
if [ $# -ne 2 ]; then
    echo 'Usage: context.sh BUILD_DIR CONTEXT_DIR' >&2
    exit 2
fi
# The empty folder becomes the place of the data: nothing in an image of scratch could make one.
mkdir -p -- "$2/data"
for program in pakyas pakyas-server; do
    install -m 755 -- "$1/$program" "$2/$program"
done
