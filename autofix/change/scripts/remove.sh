# Deletes a fix's folder; only one that carries our mark.
# Given: directory
[ ! -e "$directory/.autofix-workspace" ] || rm -rf -- "$directory"
