# bash completion for pakyas. To have it: pakyas completion --help
# pakyas itself says what may follow; here it is only asked.
_pakyas() {
    local program=pakyas answer word index
    local -a offers
    [[ $1 == */* && -x $1 ]] && program=$1
    COMPREPLY=()
    answer=$(command "$program" __complete bash "${COMP_LINE:0:COMP_POINT}" "$2" 2>/dev/null) || return 0
    mapfile -t offers <<<"$answer"
    case ${offers[0]} in
        words)
            COMPREPLY=("${offers[@]:1}")
            if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[/=:,] ]]; then
                compopt -o nospace 2>/dev/null
            fi
            ;;
        job\ *)
            # The job has a completion of its own.
            for ((index = 1; index < COMP_CWORD; index++)); do
                [[ ${COMP_WORDS[index]} == -- ]] && break
            done
            if declare -F _comp_command_offset >/dev/null; then
                _comp_command_offset $((index + 1))
            elif declare -F _command_offset >/dev/null; then
                _command_offset $((index + 1))
            elif ((COMP_CWORD == index + 1)); then
                compopt -o filenames 2>/dev/null
                mapfile -t COMPREPLY < <(compgen -A command -A file -- "$2" 2>/dev/null)
            else
                compopt -o default 2>/dev/null
            fi
            ;;
    esac
    return 0
}
complete -F _pakyas pakyas
