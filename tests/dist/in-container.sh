#!/bin/sh
# What the images promise, inside namespaces that a test has made: in-container.sh SERVER CLIENT
# SERVER and CLIENT are folders that a Dockerfile's lines were carried out in, each with a file
# FOLDER.env of its variables and FOLDER.volume, the folder in the place of its volume. Both run as
# their own user, on a root that can't be written to. Each promise that is kept is a line.
set -eu
server=$1
client=$2
chroot=$(PATH=$PATH:/usr/sbin command -v chroot)

# chroot does for us what a container's engine does.
prepare() { # FOLDER PLACE_OF_VOLUME
    mount --bind "$1" "$1"
    [ -z "$2" ] || mount --bind "$1.volume" "$1$2"
    mount -o remount,bind,ro "$1"
}
enter() { # FOLDER PROGRAM ARGUMENT...
    folder=$1
    shift
    # One variable a line, none has a space.
    # shellcheck disable=SC2046
    exec env -i $(cat "$folder.env") "$chroot" --userspec="$(cat "$folder.user")" --groups= "$folder" "$@"
}
inside() (
    enter "$@"
)

ip link set lo up
# As the engine's -e; there is no name server in here, and no engine that writes /etc/hosts.
echo PAKYAS_SERVER_PUBLIC_URL=http://127.0.0.1:8080 >>"$server.env"
prepare "$server" /var/lib/pakyas
prepare "$client" ''
if inside "$server" /pakyas-server healthcheck 2>/dev/null; then
    echo 'healthy before there is a server' >&2
    exit 1
fi
enter "$server" /pakyas-server >"$server.log" 2>&1 &
trap 'kill -9 $! 2>/dev/null || :' EXIT
tries=0
until grep -q 'is listening on' "$server.log"; do
    tries=$((tries + 1))
    if [ "$tries" -gt 150 ] || ! kill -0 $! 2>/dev/null; then
        cat "$server.log" >&2
        exit 1
    fi
    sleep 0.1
done
echo 'the server serves'

inside "$server" /pakyas-server healthcheck
echo 'the server is healthy by its own word'
if inside "$server" /pakyas-server backup /backup.db 2>/dev/null; then
    echo 'the root can be written to' >&2
    exit 1
fi

key=$(sed -n 's/.*--api-key //p' "$server.log")
cat >>"$client.env" <<SETTINGS
PAKYAS_API_KEY=$key
PAKYAS_API_URL=http://127.0.0.1:8080
PAKYAS_PROJECT=Production
SETTINGS
inside "$client" /pakyas check create --name 'Daily Backup' --slug daily-backup \
    --period 86400 --grace 3600 >/dev/null
# The image's entrypoint with the guide's arguments, and a job that is one static program.
inside "$client" /pakyas monitor daily-backup -- /pakyas --version
inside "$client" /pakyas --format json check show daily-backup | grep -q '"status": *"up"'
echo 'the job is reported'

kill -TERM $!
code=0
wait $! || code=$?
[ "$code" -eq 0 ]
ls "$server.volume/pakyas.db" >/dev/null
echo 'the server has ended, and its data is on the volume'

# No server: the job runs all the same, and its report is kept.
code=0
inside "$client" /pakyas monitor --ping-timeout 1s daily-backup -- /pakyas --no-such-flag 2>/dev/null || code=$?
[ "$code" -eq 2 ]
echo 'without a server the job has its own exit code'
