#compdef pakyas
# zsh completion for pakyas. To have it: pakyas completion --help
# pakyas itself says what may follow; here it is only asked.
_pakyas() {
    local program=pakyas line word entry
    local -a lines closed open
    [[ ${words[1]} == */* && -x ${~words[1]} ]] && program=${~words[1]}
    lines=("${(@f)$(command $program __complete zsh "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}")
    case ${lines[1]} in
        words)
            for line in "${(@)lines[2,-1]}"; do
                word=${line%%$'\t'*}
                entry=${${word//\\/\\\\}//:/\\:}
                [[ -n ${line#*$'\t'} ]] && entry+=:${line#*$'\t'}
                case $word in
                    (*[/=:,]) open+=("$entry") ;;
                    (*) closed+=("$entry") ;;
                esac
            done
            _describe pakyas closed -- open -S ''
            ;;
        job\ *)
            # The job has a completion of its own.
            shift ${lines[1]#job } words
            (( CURRENT -= ${lines[1]#job } ))
            _normal
            ;;
    esac
}
if [[ $funcstack[1] == _pakyas ]]; then
    _pakyas "$@"
else
    compdef _pakyas pakyas
fi
