#!/usr/bin/env bash
# Starts the coding agent's server: checks its settings, hands over the configuration, and becomes
# `opencode serve`. No secret stands on a command line or in a file.
set -euo pipefail

refuse() {
  printf 'opencode/serve.sh: %s\n' "$1" >&2
  exit 2
}

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"

[ -n "${OPENCODE_SERVER_PASSWORD:-}" ] ||
  refuse 'OPENCODE_SERVER_PASSWORD is not set: choose a long random password and give the same one to the flows.'
[ -n "${OPENAI_API_KEY:-}" ] ||
  refuse "OPENAI_API_KEY is not set: put the key of the agent's model endpoint into the environment."
[ -n "${AUTOFIX_AGENT_MODEL:-}" ] ||
  refuse 'AUTOFIX_AGENT_MODEL is not set: name the model as provider/model, for example openai/gpt-5.'
[[ "$AUTOFIX_AGENT_MODEL" =~ ^[a-z0-9][a-z0-9_-]*/[A-Za-z0-9][A-Za-z0-9._:/@-]*$ ]] ||
  refuse 'AUTOFIX_AGENT_MODEL is malformed: write it as provider/model, for example openai/gpt-5.'

# Started as root, because a fresh volume belongs to root on some platforms: give it to the agent's
# user, and become that user for good.
if [ "$(id -u)" = 0 ] && [ -n "${OPENCODE_USER:-}" ]; then
  chown "$OPENCODE_USER:" "$HOME"
  install --directory --owner "$OPENCODE_USER" --group "$OPENCODE_USER" \
    "$HOME/work" "$HOME/.local" "$HOME/.local/share" "$HOME/.local/share/opencode"
  exec setpriv --reuid "$OPENCODE_USER" --regid "$OPENCODE_USER" --init-groups --no-new-privs -- "$0"
fi

find_binary() {
  local candidate
  for candidate in "${OPENCODE_BIN:-}" "$here/node_modules/.bin/opencode" "$(command -v opencode || true)"; do
    if [ -n "$candidate" ] && [ -x "$candidate" ]; then
      printf '%s' "$candidate"
      return
    fi
  done
  refuse 'the opencode binary is missing: run `make setup`, or set OPENCODE_BIN to its path.'
}
binary="$(find_binary)"

# Seconds until a request to the model is given up: between two pieces of an answer, and in all.
milliseconds() {
  [[ "${!1:-$2}" =~ ^[1-9][0-9]{0,4}$ ]] || refuse "$1 is not a number of seconds: leave it empty for $2."
  printf '%s000' "${!1:-$2}"
}
chunk_timeout="$(milliseconds AUTOFIX_AGENT_CHUNK_SECONDS 120)"
request_timeout="$(milliseconds AUTOFIX_AGENT_REQUEST_SECONDS 900)"

# US dollars per million tokens; without them the cost cap counts nothing, steps and minutes still do.
price() {
  [[ "${!1:-0}" =~ ^[0-9]+(\.[0-9]+)?$ ]] ||
    refuse "$1 is not a number: give US dollars per million tokens, or leave it empty."
  printf '%s' "${!1:-0}"
}
price_input="$(price AUTOFIX_AGENT_PRICE_INPUT)"
price_output="$(price AUTOFIX_AGENT_PRICE_OUTPUT)"
price_cached="$(price AUTOFIX_AGENT_PRICE_CACHED)"

json_string() {
  local text="$1"
  text="${text//\\/\\\\}"
  text="${text//\"/\\\"}"
  text="${text//$'\t'/\\t}"
  text="${text//$'\n'/\\n}"
  printf '"%s"' "$text"
}

# OpenAI itself is spoken to in its own protocol, everything else in the common one.
export OPENAI_BASE_URL="${OPENAI_BASE_URL:-https://api.openai.com/v1}"
provider="${AUTOFIX_AGENT_MODEL%%/*}"
package='@ai-sdk/openai-compatible'
case "$OPENAI_BASE_URL" in
  https://api.openai.com/*) provider=openai package='@ai-sdk/openai' ;;
  # a name of its own, so that nothing built in for OpenAI is applied to another endpoint
  *) [ "$provider" != openai ] || provider=openai-compatible ;;
esac

# These tools run ripgrep, which the server would download, unverified, where there is none.
search=allow
command -v rg >/dev/null || search=deny

# As inline content no file of a cloned repository overrides it. Names were matched above and the
# prompt is escaped, so this stays valid JSON; bash 5.2 would else expand `&` in replacements.
shopt -u patsub_replacement 2>/dev/null || true
prompt="$(json_string "$(<"$here/agents/fixer.md")")"
config="$(<"$here/opencode.json")"
config="${config//\"@PROMPT@\"/$prompt}"
config="${config//@NPM@/$package}"
config="${config//@PROVIDER@/$provider}"
config="${config//@SEARCH@/$search}"
config="${config//@MODEL@/${AUTOFIX_AGENT_MODEL#*/}}"
config="${config//\"@CHUNK_TIMEOUT@\"/$chunk_timeout}"
config="${config//\"@REQUEST_TIMEOUT@\"/$request_timeout}"
config="${config//\"@PRICE_INPUT@\"/$price_input}"
config="${config//\"@PRICE_OUTPUT@\"/$price_output}"
config="${config//\"@PRICE_CACHED@\"/$price_cached}"

# The agent's shell can read the server's whole environment, so what it has no use for goes. More can
# be named in AUTOFIX_AGENT_ENVIRONMENT, for the tool chains of your services.
port="${OPENCODE_PORT:-4096}" host="${OPENCODE_HOST:-127.0.0.1}"
init="${OPENCODE_INIT:-}"
workspace="${OPENCODE_WORKSPACE:-${HOME:?HOME is not set}/work}"
file_mb="${AUTOFIX_AGENT_FILE_MB:-2000}"
[[ "$file_mb" =~ ^[1-9][0-9]{0,6}$ ]] || refuse 'AUTOFIX_AGENT_FILE_MB is not a number of megabytes.'
read -r -a wanted <<<"${AUTOFIX_AGENT_ENVIRONMENT:-}"
for name in $(compgen -e); do
  case " PATH HOME SHELL USER LOGNAME LANG LANGUAGE TZ TERM TMPDIR PWD ${wanted[*]:-} " in
    *" $name "*) continue ;;
  esac
  case "$name" in
    LC_* | SSL_CERT_* | NODE_EXTRA_CA_CERTS | HTTP_PROXY | HTTPS_PROXY | NO_PROXY) ;;
    http_proxy | https_proxy | no_proxy | GH_TOKEN) ;;
    OPENAI_API_KEY | OPENAI_BASE_URL | OPENCODE_SERVER_PASSWORD | OPENCODE_SERVER_USERNAME) ;;
    *) unset -v "$name" ;;
  esac
done

export OPENCODE_CONFIG_CONTENT="$config"
export OPENCODE_DISABLE_AUTOUPDATE=1
export OPENCODE_DISABLE_MODELS_FETCH=1
export OPENCODE_DISABLE_LSP_DOWNLOAD=1
export OPENCODE_DISABLE_PROJECT_CONFIG=1
export OPENCODE_DISABLE_DEFAULT_PLUGINS=1
export OPENCODE_DISABLE_CLAUDE_CODE=1
# no pager and no question in the agent's shell
export GIT_PAGER=cat PAGER=cat GIT_TERMINAL_PROMPT=0

# the server's own folder: no git repository, no configuration of anybody
mkdir -p "$workspace"
cd "$workspace"

# The server installs a helper for plugins from the npm registry, at each start and unpinned, unless a
# lock file in its configuration names it. There are no plugins here, so this one does.
own="$HOME/.config/opencode"
if [ ! -e "$own/package.json" ] && [ ! -e "$own/package-lock.json" ]; then
  mkdir -p "$own/node_modules"
  printf '%s\n' '{"packages": {"": {"dependencies": {"@opencode-ai/plugin": "*"}}}}' >"$own/package-lock.json"
fi

# no single file may fill the disk
ulimit -f $((file_mb * 1024)) 2>/dev/null || true

# an init reaps what the agent's commands leave behind; it starts here, so that its environment,
# which the agent can read as well, holds no more than the server's
exec ${init:+"$init" -g --} "$binary" serve --hostname "$host" --port "$port"
