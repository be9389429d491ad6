#!/bin/sh
# Installs Pakyas from the bundle that this file is in, without a network, or takes it away again.
# POSIX sh. What it installed, and which folders it made, is noted in PREFIX/share/pakyas/installed:
# it removes and overwrites what is in that list, unchanged, and nothing else.
set -eu
umask 022
LC_ALL=C
export LC_ALL

say() {
    printf '%s\n' "$*"
}

die() {
    printf 'install.sh: %s\n' "$*" >&2
    exit 1
}

usage() {
    cat <<'HELP'
Usage: ./install.sh [--prefix DIR] [--systemd]
       ./install.sh --uninstall [--prefix DIR]

Installs pakyas and pakyas-server, or takes away what it installed.
All or nothing: where it fails, everything is as it was before.

  --prefix DIR   below which folder; /usr/local if not given
  --systemd      the units of the server and of the spool's timer, too
  --replace      overwrite programs and files that came from elsewhere
  --destdir DIR  put everything below DIR, for who makes a package or an image
  --uninstall    take away what an earlier run installed; data, configuration
                 and files that were changed since stay
  --help         this text
HELP
}

prefix=/usr/local
destdir=
systemd=
replace=
uninstall=

while [ $# -gt 0 ]; do
    option=$1
    shift
    case $option in
    --prefix=* | --destdir=*)
        set -- "${option#*=}" "$@"
        option=${option%%=*}
        ;;
    --prefix | --destdir)
        [ $# -gt 0 ] || die "$option needs a folder"
        ;;
    esac
    case $option in
    --prefix)
        prefix=$1
        shift
        ;;
    --destdir)
        destdir=$1
        shift
        ;;
    --systemd) systemd=yes ;;
    --replace) replace=yes ;;
    --uninstall) uninstall=yes ;;
    --help | -h)
        usage
        exit 0
        ;;
    *)
        usage >&2
        exit 2
        ;;
    esac
done

# An absolute path without a slash at its end, and without what would break the lists below.
folder() {
    case $2 in
    *'|'* | *"
"*) die "$1 must not have a line break or a | in it" ;;
    *//* | */./* | */../* | */. | */..) die "$1 must be a plain path, not '$2'" ;;
    /*) ;;
    *) die "$1 must begin with /, not be '$2'" ;;
    esac
    printf '%s\n' "${2%/}"
}

command -v sha256sum >/dev/null || die 'there is no sha256sum here; it is in coreutils or busybox'
prefix=$(folder --prefix "$prefix")
[ -n "$prefix" ] || die '--prefix must be a folder below /'
[ -z "$destdir" ] || destdir=$(folder --destdir "$destdir")
bundle=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
list=$prefix/share/pakyas/installed

sum() {
    sha256sum <"$1" | cut -d ' ' -f 1
}

# The sum that the list of an earlier run has for a file; nothing where it has none.
noted() {
    [ -f "$destdir$list" ] || return 0
    while read -r kind value path; do
        if [ "$kind" = file ] && [ "$path" = "$1" ]; then
            printf '%s\n' "$value"
        fi
    done <"$destdir$list"
}

# Whether a file is there and is, byte for byte, what an earlier run installed.
is_ours() {
    [ -f "$destdir$1" ] && [ ! -L "$destdir$1" ] && [ "$(sum "$destdir$1")" = "$(noted "$1")" ]
}

exists() {
    [ -e "$1" ] || [ -L "$1" ]
}

reload_systemd() {
    if [ -z "$destdir" ] && [ -d /run/systemd/system ] && command -v systemctl >/dev/null; then
        systemctl daemon-reload || say 'systemctl daemon-reload failed; run it again by hand'
    fi
}

# --- taking away ------------------------------------------------------------------------------

take_away() {
    [ -f "$destdir$list" ] ||
        die "nothing that this program installed is in $destdir$prefix; is the --prefix right?"
    [ -w "$destdir$prefix/share/pakyas" ] ||
        die "$destdir$prefix can't be written to; run this as the user who installed (sudo)"
    if [ -z "$destdir" ] && [ -d /run/systemd/system ] && grep -q '/pakyas-server.service$' "$list" &&
        { systemctl is-active --quiet pakyas-server || systemctl is-enabled --quiet pakyas-server; }; then
        die 'pakyas-server is running or enabled; first: systemctl disable --now pakyas-server'
    fi
    kept=
    units=
    while read -r kind _ path; do
        [ "$kind" = file ] || continue
        if ! exists "$destdir$path"; then
            say "was gone   $destdir$path"
        elif is_ours "$path"; then
            rm -f -- "$destdir$path" || die "can't remove $destdir$path; run this again when that is mended"
            say "removed    $destdir$path"
        else
            kept=yes
            say "kept       $destdir$path, which was changed since it was installed"
        fi
        case $path in */systemd/system/*) units=yes ;; esac
    done <"$destdir$list"
    # The folders are noted from the outside in; they go the other way, where they are empty.
    folders=
    while read -r kind _ path; do
        [ "$kind" = dir ] && folders="$path
$folders"
    done <"$destdir$list"
    rm -f -- "$destdir$list"
    while read -r path; do
        if [ -n "$path" ]; then
            rmdir -- "$destdir$path" 2>/dev/null || :
        fi
    done <<LIST
$folders
LIST
    [ -z "$units" ] || reload_systemd
    say "Pakyas is no longer in $destdir$prefix."
    [ -z "$kept" ] || say 'What was kept is yours to remove.'
    say "Data and configuration stay: /var/lib/pakyas, /etc/pakyas, ~/.config/pakyas, ~/.local/state/pakyas."
}

# --- installing -------------------------------------------------------------------------------

# Each file of the bundle is in SHA256SUMS, is what it says, and there is no other.
check_bundle() {
    cd -- "$bundle"
    [ -f SHA256SUMS ] || die "$bundle has no SHA256SUMS; unpack the whole bundle, and run its install.sh"
    if ! bad=$(sha256sum -c SHA256SUMS 2>&1); then
        printf '%s\n' "$bad" | grep -v ': OK$' >&2 || :
        die 'the bundle is damaged; nothing was changed. Copy it here again'
    fi
    count=0
    while read -r _ name; do
        count=$((count + 1))
        case $name in
        /* | *..*) die "SHA256SUMS names '$name', which is outside of the bundle; nothing was changed" ;;
        esac
    done <SHA256SUMS
    there=$(find . -type f ! -path ./SHA256SUMS | wc -l)
    [ "$count" -eq "$there" ] ||
        die "SHA256SUMS has $count files, the bundle has $((there)); nothing was changed. Unpack it into a folder of its own"
    for program in bin/pakyas bin/pakyas-server; do
        [ -f "$program" ] || die "the bundle has no $program; nothing was changed"
    done
}

# What shall go where: lines of mode|source|target.
plan=
add() {
    plan="$plan$1|$2|$3
"
}

add_if_there() {
    [ ! -f "$bundle/$2" ] || add "$@"
}

skipped=
skip() {
    skipped="$skipped$*
"
}

is_a_place() {
    for place; do
        [ ! -d "$destdir$place" ] || return 0
    done
    return 1
}

make_plan() {
    share=$prefix/share
    add 755 bin/pakyas "$prefix/bin/pakyas"
    add 755 bin/pakyas-server "$prefix/bin/pakyas-server"
    add 755 install.sh "$share/pakyas/install.sh"
    add_if_there 644 man/pakyas.1 "$share/man/man1/pakyas.1"
    add_if_there 644 man/pakyas-server.8 "$share/man/man8/pakyas-server.8"
    if is_a_place /usr/share/bash-completion "$share/bash-completion/completions"; then
        add_if_there 644 completions/pakyas.bash "$share/bash-completion/completions/pakyas"
    else
        skip 'completion for bash: bash-completion is not installed'
    fi
    if is_a_place /usr/share/zsh "$share/zsh/site-functions"; then
        add_if_there 644 completions/_pakyas "$share/zsh/site-functions/_pakyas"
    else
        skip 'completion for zsh: zsh is not installed'
    fi
    if is_a_place /usr/share/fish "$share/fish/vendor_completions.d"; then
        add_if_there 644 completions/pakyas.fish "$share/fish/vendor_completions.d/pakyas.fish"
    else
        skip 'completion for fish: fish is not installed'
    fi
    for file in $(cd -- "$bundle" && find doc examples -type f | sort); do
        add 644 "$file" "$share/doc/pakyas/${file#doc/}"
    done

    case $prefix in
    /usr | /usr/local) units=$prefix/lib/systemd/system ;;
    *) units=/etc/systemd/system ;; # systemd looks nowhere else
    esac
    # Who upgrades keeps the units, also without saying so again.
    if [ -n "$(noted "$units/pakyas-server.service")" ]; then
        systemd=yes
    fi
    if [ -n "$systemd" ]; then
        case $prefix in
        *[!A-Za-z0-9/._-]*) die "systemd can't start programs below '$prefix'; choose a --prefix of letters, digits, . _ -" ;;
        esac
        for file in $(cd -- "$bundle" && find systemd -type f | sort); do
            add 644 "$file" "$units/${file#systemd/}"
        done
    fi
    add 644 '' "$list"
}

# The lines of a plan, for a loop: none is empty.
planned() {
    printf '%s' "$plan"
}

made=
made_now=
make_folder() {
    [ ! -d "$destdir$1" ] || return 0
    case $1 in
    '' | /) mkdir -p -- "$destdir" ;;
    *)
        make_folder "$(dirname -- "$1")"
        mkdir -- "$destdir$1" || return 1
        made="$made$1
"
        made_now="$1
$made_now"
        ;;
    esac
}

# The bytes that a target shall have, on stdout.
content() {
    case $1 in
    '') new_list ;;
    systemd/*) sed "s|/usr/local/bin/|$prefix/bin/|g" "$bundle/$1" ;;
    *) cat -- "$bundle/$1" ;;
    esac
}

new_list() {
    say "pakyas $version"
    printf '%s' "$made" | while read -r path; do
        say "dir - $path"
    done
    planned | while IFS='|' read -r _ source target; do
        [ -z "$source" ] || say "file $(sum "$destdir$target.pakyas-new") $target"
    done
}

# Puts all back as it was. Runs at any end that is not a success.
undo() {
    trap '' HUP INT TERM
    while IFS='|' read -r mode _ target; do
        [ -n "$mode" ] || continue
        kept=$destdir$target.pakyas-old
        if [ -f "$kept" ] && [ -f "$destdir$target" ] && [ "$(sum "$kept")" = "$(sum "$destdir$target")" ]; then
            # Not replaced yet: two names of one file, which mv refuses to make one.
            rm -f -- "$kept"
        elif exists "$kept"; then
            mv -f -- "$kept" "$destdir$target" || :
        else
            case "$moved" in *"|$target|"*) rm -f -- "$destdir$target" ;; esac
        fi
        rm -f -- "$destdir$target.pakyas-new"
    done <<LIST
$plan
LIST
    while read -r path; do
        [ -z "$path" ] || rmdir -- "$destdir$path" 2>/dev/null || :
    done <<LIST
$made_now
LIST
    if [ -n "$destdir" ] && [ -n "$destdir_is_new" ]; then
        rmdir -- "$destdir" 2>/dev/null || :
    fi
}

# Everything beside its place, complete and with the right sum, before anything is in its place.
stage() {
    while IFS='|' read -r mode source target; do
        [ -n "$mode" ] || continue
        [ ! -d "$destdir$target" ] || die "$destdir$target is a folder; nothing was changed"
        make_folder "$(dirname -- "$target")" ||
            die "can't make the folder for $destdir$target; nothing was changed. Run this with sudo, or choose a --prefix"
        new=$destdir$target.pakyas-new
        # Left by a run that was killed.
        rm -f -- "$new" "$destdir$target.pakyas-old"
        if ! content "$source" >"$new" || ! chmod "$mode" "$new"; then
            die "can't write $new; nothing was changed. Is the disk full, or is this for sudo, or for another --prefix?"
        fi
        [ "$(sum "$new")" = "$(content "$source" | sha256sum | cut -d ' ' -f 1)" ] ||
            die "$new was not written as it should be; nothing was changed. Is the disk full, or not well?"
    done <<LIST
$plan
LIST
}

# Whether the file that is there is the new one already.
is_same() {
    [ -f "$destdir$2" ] && [ ! -L "$destdir$2" ] || return 1
    [ "$1" != 755 ] || [ -x "$destdir$2" ] || return 1
    [ "$(sum "$destdir$2")" = "$(sum "$destdir$2.pakyas-new")" ]
}

refuse_foreign() {
    foreign=
    while IFS='|' read -r mode source target; do
        [ -n "$source" ] || continue
        if exists "$destdir$target" && ! is_ours "$target" && ! is_same "$mode" "$target"; then
            foreign=yes
            printf 'install.sh: %s was not installed by this program, or was changed since\n' "$destdir$target" >&2
        fi
    done <<LIST
$plan
LIST
    [ -z "$foreign" ] || [ -n "$replace" ] ||
        die 'nothing was changed. Move these away, or overwrite them with --replace'
}

moved=
changed=0
put_in_place() {
    while IFS='|' read -r mode source target; do
        [ -n "$mode" ] || continue
        here=$destdir$target
        if is_same "$mode" "$target"; then
            rm -f -- "$here.pakyas-new"
            continue
        fi
        word=installed
        if exists "$here"; then
            word='updated  '
            ln -f -- "$here" "$here.pakyas-old" 2>/dev/null || cp -p -- "$here" "$here.pakyas-old" ||
                die "can't keep a copy of $here; nothing was changed"
        fi
        moved="$moved|$target|"
        mv -f -- "$here.pakyas-new" "$here" || die "can't put $here in its place; nothing was changed"
        [ -n "$source" ] || continue
        changed=$((changed + 1))
        say "$word  $here"
    done <<LIST
$plan
LIST
}

# What an earlier version had and this one has not.
remove_outdated() {
    [ -f "$old_list" ] || return 0
    while read -r kind value path; do
        [ "$kind" = file ] || continue
        case "|$(planned | tr '\n' '|')" in *"|$path|"*) continue ;; esac
        if [ -f "$destdir$path" ] && [ "$(sum "$destdir$path")" = "$value" ]; then
            rm -f -- "$destdir$path"
            changed=$((changed + 1))
            say "removed    $destdir$path, which this version no longer has"
        fi
    done <"$old_list"
}

install_all() {
    [ "$(uname -s) $(uname -m)" = 'Linux x86_64' ] || [ -n "$destdir" ] ||
        die "these programs are for Linux on x86_64, this is $(uname -s) on $(uname -m); nothing was changed"
    check_bundle
    read -r version <"$bundle/VERSION"
    say "The bundle of Pakyas $version is whole: $count files."
    make_plan
    if [ -f "$destdir$list" ]; then
        while read -r kind _ path; do
            [ "$kind" != dir ] || made="$made$path
"
        done <"$destdir$list"
    fi
    destdir_is_new=
    [ -z "$destdir" ] || [ -d "$destdir" ] || destdir_is_new=yes

    trap 'undo' EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    stage
    refuse_foreign
    [ -n "$destdir" ] || sync
    put_in_place
    trap '' HUP INT TERM
    trap - EXIT
    old_list=$destdir$list.pakyas-old
    remove_outdated
    planned | while IFS='|' read -r _ _ target; do
        rm -f -- "$destdir$target.pakyas-old"
    done

    [ -z "$systemd" ] || reload_systemd
    printf '%s' "$skipped" | while read -r line; do
        say "skipped    $line"
    done
    if [ "$changed" -eq 0 ]; then
        say "Pakyas $version was in $destdir$prefix already; nothing was changed."
        return
    fi
    say "Pakyas $version is in $destdir$prefix. It is taken away by: sh $prefix/share/pakyas/install.sh --uninstall --prefix $prefix"
    case ":$PATH:" in
    *":$prefix/bin:"*) ;;
    *) say "$prefix/bin is not in PATH: add it, or write the whole path in crontabs." ;;
    esac
    if [ -n "$systemd" ]; then
        say "A server on this machine: systemctl enable --now pakyas-server (settings: /etc/pakyas/server.env)"
        say "Where it runs already: systemctl restart pakyas-server"
    fi
}

if [ -n "$uninstall" ]; then
    take_away
else
    install_all
fi
