#!/bin/sh
# Appends changes to the file that its argument names. What it answers is written to its standard
# output; messages go to standard error, and so to the replicator's log.

file=${1:?usage: append.sh FILE}
echo "appending to $file" >&2

while IFS= read -r line; do
    case $line in
    '{"batch":'*) # the batch is complete: make it durable, then say so
        sync "$file" || exit 1
        number=${line#'{"batch":'}
        printf '{"ok":%s}\n' "${number%\}}"
        ;;
    *) # one change
        printf '%s\n' "$line" >&3 || exit 1
        ;;
    esac
done 3>>"$file"
