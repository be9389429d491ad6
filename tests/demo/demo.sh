#!/bin/sh
# The main job for real: a server, a client, jobs that succeed, fail and go missing, and the
# alerts that arrive. Ends with 0 only if all three alerts came.
#
# usage: demo.sh DIRECTORY-WITH-THE-PROGRAMS

set -eu

programs=$(cd "${1:?usage: demo.sh DIRECTORY-WITH-THE-PROGRAMS}" && pwd)
project=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/pakyas-demo.XXXXXX")
server='' hook='' tail=''

clean_up() {
    # shellcheck disable=SC2086 # each is one process id or nothing
    kill $tail $hook $server 2>/dev/null || true
    # shellcheck disable=SC2086
    wait $tail $hook $server 2>/dev/null || true
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# Nothing of the person who runs this is read or changed.
for name in $(env | sed -n 's/^\(PAKYAS_[A-Z_]*\)=.*/\1/p'); do
    unset "$name"
done
unset XDG_CONFIG_HOME XDG_STATE_HOME XDG_DATA_HOME HTTP_PROXY HTTPS_PROXY ALL_PROXY \
    http_proxy https_proxy all_proxy || true
export HOME="$work/home" PATH="$programs:$PATH"
mkdir "$HOME"
cd "$work"

say() {
    printf '\n# %s\n' "$*"
}

# Shows a command as it would be typed, then runs it.
run() {
    printf '$'
    for word in "$@"; do
        case $word in
        '' | *[!A-Za-z0-9_./:=,@%+-]*) printf " '%s'" "$word" ;;
        *) printf ' %s' "$word" ;;
        esac
    done
    printf '\n'
    "$@"
}

# Waits until a line of FILE matches; $1 is how many seconds at most.
await() {
    left=$(($1 * 10))
    until grep -q "$3" "$2" 2>/dev/null; do
        left=$((left - 1))
        if [ "$left" -le 0 ]; then
            printf 'demo: waited %s s in vain for "%s"\n' "$1" "$3" >&2
            exit 1
        fi
        sleep 0.1
    done
}

say 'A server with an organization, a project and a key. Its database is one file.'
run pakyas-server init --org 'Demo Inc' --project Production --email you@example.com \
    --data-dir "$work/data" | tee init.out
sed -n 's/^API key: //p' init.out >key
printf '$ pakyas-server --listen 127.0.0.1:0 --data-dir %s &\n' "$work/data"
pakyas-server --listen 127.0.0.1:0 --data-dir "$work/data" >server.out 2>&1 &
server=$!
await 20 server.out 'is listening on'
cat server.out
url=$(sed -n 's/.* is listening on //p' server.out)

say 'A client that is logged in to it.'
run pakyas login --api-url "$url" --api-key "file:$work/key"
run pakyas org switch 'Demo Inc'
run pakyas project switch Production
run pakyas whoami

say 'Three jobs to be watched, one of which reports every 3 seconds.'
run pakyas check create --name 'Nightly Backup' --slug nightly-backup --period 86400 --grace 3600
run pakyas check create --name 'Restore Test' --slug restore-test --period 86400 --grace 3600
run pakyas check create --name Heartbeat --slug heartbeat --period 3 --grace 1

say 'Where alerts go: a webhook. What it gets is shown as "alert>".'
print-webhooks hook.url >alerts.out 2>&1 &
hook=$!
await 20 hook.url 'http://'
tail -n +1 -f alerts.out 2>/dev/null | sed -u 's/^/        alert> /' &
tail=$!
run pakyas channel create --kind webhook --name pager --target "$(cat hook.url)"

say 'A real job: a backup of the source of this project. It has its own output and exit code.'
run pakyas monitor nightly-backup -- \
    tar -czf "$work/backup.tar.gz" -C "$project" --exclude=./target --exclude=./.git .
ls -l backup.tar.gz | awk '{ print "backup.tar.gz: " $5 " bytes" }'

say 'A job that fails. Its output goes where it would have gone, and with the alert.'
code=0
run pakyas monitor restore-test -- \
    sh -c 'echo "checking nightly-backup" >&2; echo "checksum mismatch in block 7" >&2; exit 3' ||
    code=$?
printf 'exit code: %s\n' "$code"
[ "$code" -eq 3 ]
await 20 alerts.out '^check.failed'

say 'A job that reports once and then falls silent.'
run pakyas ping heartbeat
printf '(nothing for a few seconds)\n'
await 30 alerts.out '^check.down'

say 'And comes back.'
run pakyas ping heartbeat
await 20 alerts.out '^check.up'

for event in check.failed check.down check.up; do
    if [ "$(grep -c "^$event:" alerts.out)" -ne 1 ]; then
        printf 'demo: %s was not received exactly once\n' "$event" >&2
        exit 1
    fi
done

say 'How it all looks now.'
run pakyas check logs restore-test
run pakyas check list

printf '\nReceived check.failed, check.down and check.up, each once. Demo passed.\n'
