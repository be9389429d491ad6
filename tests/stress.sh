#!/usr/bin/env bash
# All the tests again and again, beside twice as many busy processes as there are cores: stress.sh RUNS
# Prints each test that failed and how often; what they said is kept below target/stress.
set -euo pipefail
cd "$(dirname "$0")/.."
runs=${1:?Usage: stress.sh RUNS}
logs=target/stress
rm -rf "$logs"
mkdir -p "$logs"

cargo test --locked --no-run

busy=()
# A test may have changed who is foreground; the busy processes end with this one, however it ends.
trap 'kill "${busy[@]}" 2>/dev/null || true' EXIT
trap 'exit 130' INT TERM
for _ in $(seq $((2 * $(getconf _NPROCESSORS_ONLN)))); do
    sh -c 'while :; do :; done' &
    busy+=($!)
done

failed=0
for run in $(seq "$runs"); do
    began=$SECONDS
    # Nothing that needs a tool may be left out, and one failure hides no other.
    if PAKYAS_CI=1 cargo test --locked --no-fail-fast >"$logs/$run.log" 2>&1; then
        outcome=clean
    else
        outcome=FAILED
        failed=$((failed + 1))
    fi
    echo "run $run of $runs: $outcome after $((SECONDS - began)) s"
    sed -n 's/^test \(.*\) \.\.\. FAILED$/  \1/p' "$logs/$run.log"
done

if [ "$failed" -gt 0 ]; then
    echo "$failed of $runs runs failed; how often each test did, and what it said is in $logs:"
    # A test that prints may have its own words between its name and its verdict.
    sed -n '/^failures:$/,/^test result/s/^    \([a-z_0-9:]*\)$/\1/p' "$logs"/*.log | sort | uniq -c | sort -rn
    exit 1
fi
echo "$runs runs, no failure"
