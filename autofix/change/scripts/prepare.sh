# A clone with the fix's branch checked out; its last line is the commit the branch starts at.
# Given: root, directory, target, url, branch, start, fresh, kept_days
set -eu
export GIT_TERMINAL_PROMPT=0 GIT_CONFIG_GLOBAL=/dev/null
mark=.autofix-workspace

# Folders of fixes that failed some days ago; only what carries our mark.
mkdir -p "$root"
find "$root" -mindepth 2 -maxdepth 2 -name "$mark" -mtime +"$kept_days" |
  while IFS= read -r found; do rm -rf -- "${found%/*}"; done

mkdir -p "$directory"
touch "$directory/$mark"

# What a repository says to agents is not checked out, and counts as unchanged.
hide() {
  git -C "$1" sparse-checkout set --no-cone --stdin <<'PATTERNS'
/*
!.opencode/
!opencode.json
!opencode.jsonc
!AGENTS.md
!CLAUDE.md
!CLAUDE.local.md
!.claude/
PATTERNS
}

# The clone is made aside and moved in whole, so a folder with the right name is a whole clone.
if ! git -C "$target" rev-parse --quiet --verify "$start^{commit}" >/dev/null 2>&1 ||
   ! git -C "$target" rev-parse --quiet --verify "refs/heads/$branch" >/dev/null 2>&1; then
  rm -rf "$target" "$target.part"
  git clone --quiet --no-tags --no-checkout --template= "$url" "$target.part"
  hide "$target.part"
  git -C "$target.part" checkout --quiet --no-track -B "$branch" "$start"
  git -C "$target.part" config user.name 'railway-autofix agent'
  git -C "$target.part" config user.email 'agent@railway-autofix.invalid'
  mv "$target.part" "$target"
elif [ "$fresh" = 1 ]; then
  # nobody knows what was done here, so its configuration is not trusted either
  rm -f "$target/.git/index.lock"
  git -C "$target" -c core.hooksPath=/dev/null checkout --quiet --force -B "$branch" "$start"
  git -C "$target" -c core.hooksPath=/dev/null clean -ffdxq
fi
git -C "$target" rev-parse "$start^{commit}"
