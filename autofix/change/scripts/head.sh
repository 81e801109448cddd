# The newest commit of the fix's branch.
# Given: target, branch
export GIT_CONFIG_GLOBAL=/dev/null
git -C "$target" rev-parse --verify --quiet "refs/heads/$branch^{commit}"
