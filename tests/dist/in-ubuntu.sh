#!/bin/sh
# Carries out the guide's image, inside a mount namespace that a test has made, with the system of
# this machine in the place of ubuntu:22.04:
#   in-ubuntu.sh FOLDER URL RUN ENTRYPOINT ARGUMENT...
# FOLDER has the client's archive and the application's scripts/, URL is where the archive is fetched
# from, and RUN is the Dockerfile's line. The image is started twice: as root, and as a user that it
# does not know.
set -eu
folder=$1
url=$2
run=$3
shift 3
chroot=$(PATH=$PATH:/usr/sbin command -v chroot)
root=$folder/root
mkdir "$root"
mount -t tmpfs tmpfs "$root"
for name in bin sbin lib lib32 lib64 libx32 usr etc dev; do
    if [ -L "/$name" ]; then
        cp -P -- "/$name" "$root/$name"
    elif [ -d "/$name" ]; then
        mkdir "$root/$name"
        mount --bind "/$name" "$root/$name"
        [ "$name" = dev ] || mount -o remount,bind,ro "$root/$name"
    fi
done
mkdir -p "$root/var/lib/apt/lists" "$root/tmp" "$root/root"
chmod 1777 "$root/tmp"
# Nothing that this machine has there shall be found in the image's place.
mount -t tmpfs tmpfs "$root/usr/local"
mkdir "$root/usr/local/bin" "$root/usr/local/sbin"

# What needs a network: Ubuntu's packages are there, and curl has the one file of a release.
cp -- "$folder/${url##*/}" "$root/usr/local/archive"
cat >"$root/usr/local/sbin/apt-get" <<'STUB'
#!/bin/sh
[ "$*" = update ] || [ "$*" = 'install -y curl' ]
STUB
cat >"$root/usr/local/sbin/curl" <<STUB
#!/bin/sh
[ "\$*" = '-sL $url' ] && cat /usr/local/archive
STUB
chmod 755 "$root/usr/local/sbin/apt-get" "$root/usr/local/sbin/curl"

inside() { # USER HOME PROGRAM ARGUMENT...
    user=$1
    home=$2
    shift 2
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME="$home" \
        PAKYAS_API_KEY="$PAKYAS_API_KEY" PAKYAS_API_URL="$PAKYAS_API_URL" \
        PAKYAS_PROJECT="$PAKYAS_PROJECT" \
        "$chroot" --userspec="$user" --groups= "$root" "$@"
}
inside 0:0 /root /bin/sh -c "$run"
cp -r -- "$folder/scripts" "$root/scripts"
inside 0:0 /root "$@"
# The home that an engine gives to such a user.
inside 12345:12345 / "$@"
