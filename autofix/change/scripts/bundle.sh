# The commits base..branch as a bundle.
# Given: target, branch, base, bundle
set -eu
export GIT_CONFIG_GLOBAL=/dev/null
rm -f "$bundle"
git -C "$target" -c core.hooksPath=/dev/null bundle create --quiet "$bundle" "refs/heads/$branch" "^$base"
