# fish completion for pakyas. To have it: pakyas completion --help
# pakyas itself says what may follow; here it is only asked.
function __pakyas_complete
    set -l typed (commandline -opc)
    set -l current (commandline -ct)
    set -l word (string unescape -- $current 2>/dev/null; or string replace -r '^[\'"]' '' -- $current)
    set -l lines (command pakyas __complete fish $typed[2..-1] "$word" 2>/dev/null)
    switch "$lines[1]"
        case words
            printf '%s\n' $lines[2..-1]
        case 'job *'
            # The job has a completion of its own.
            set -l from (math (string replace 'job ' '' -- $lines[1]) + 1)
            set -l job (string escape -- $typed[$from..-1])
            complete -C (string join ' ' -- $job $current)
    end
end
complete -c pakyas -f -a '(__pakyas_complete)'
