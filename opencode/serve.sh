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

# As inline content no file of a cloned repository overrides it. Names were matched above and the
# prompt is escaped, so this stays valid JSON; bash 5.2 would else expand `&` in replacements.
shopt -u patsub_replacement 2>/dev/null || true
prompt="$(json_string "$(<"$here/agents/fixer.md")")"
config="$(<"$here/opencode.json")"
config="${config//\"@PROMPT@\"/$prompt}"
config="${config//@NPM@/$package}"
config="${config//@PROVIDER@/$provider}"
config="${config//@MODEL@/${AUTOFIX_AGENT_MODEL#*/}}"
config="${config//\"@PRICE_INPUT@\"/$price_input}"
config="${config//\"@PRICE_OUTPUT@\"/$price_output}"
config="${config//\"@PRICE_CACHED@\"/$price_cached}"

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
workspace="${OPENCODE_WORKSPACE:-${HOME:?HOME is not set}/work}"
mkdir -p "$workspace"
cd "$workspace"

exec "$binary" serve --hostname "${OPENCODE_HOST:-127.0.0.1}" --port "${OPENCODE_PORT:-4096}"
