# Ends what runs in a folder or was started there, and prints how many processes that were.
# Given: directory
ended=0
for _ in 1 2 3; do
  found=0
  for entry in /proc/[0-9]*; do
    pid=${entry#/proc/}
    [ "$pid" != "$$" ] || continue
    at=$(readlink "$entry/cwd" 2>/dev/null) || continue
    case "$at/" in
      "$directory"/*) ;;
      *)
        # moved away, but it still tells where it was started
        { tr '\0' '\n' <"$entry/environ"; } 2>/dev/null |
          grep -qE "^(OLD)?PWD=$directory(/|\$)" || continue
        ;;
    esac
    if kill -9 "$pid" 2>/dev/null; then found=$((found + 1)); fi
  done
  ended=$((ended + found))
  [ "$found" -gt 0 ] || break
  sleep 0.1
done
echo "$ended"
