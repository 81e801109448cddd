# Megabytes that a folder takes.
# Given: directory
set -- $(du -sm -- "$directory" 2>/dev/null)
echo "${1:-0}"
