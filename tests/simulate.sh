#!/bin/sh
# make simulate: all that tests choose by a seed, with so many random ones instead of the fixed one:
# the simulation, the laws of any input (proptest), and what kills servers and cuts links.
# Prints how to repeat each that fails.
set -u
seeds=$1
cargo=${CARGO:-cargo}
$cargo test -q --locked --lib --test all --no-run || exit 1
failed=
log=$(mktemp)
trap 'rm -f "$log"' EXIT
while [ "$seeds" -gt 0 ]; do
	seeds=$((seeds - 1))
	seed=$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')
	for tests in "--lib" "--test all chaos"; do
		# shellcheck disable=SC2086 # words
		if ! PAKYAS_SEED=$seed PROPTEST_RNG_SEED=$seed $cargo test -q --locked $tests >"$log" 2>&1; then
			failed="$failed $seed"
			grep -a '^test .*FAILED\|^---- \|panicked\|minimal failing\|^  left\|^ right' "$log"
			echo "simulate: PAKYAS_SEED=$seed PROPTEST_RNG_SEED=$seed cargo test $tests"
		fi
	done
	echo "simulate: seed $seed done, $seeds to go"
done
if [ -n "$failed" ]; then
	echo "simulate: failed with$failed" >&2
	exit 1
fi
