#!/usr/bin/env bash
# What the image runs: `server`, `deploy` (once, creates pool and deployments) or `worker`.
set -euo pipefail
umask 077 # results hold what was read from a project: for their owner only

refuse() {
  printf 'container/run.sh: %s\n' "$1" >&2
  exit 2
}

need_server() {
  [ -n "${PREFECT_API_URL:-}" ] ||
    refuse 'PREFECT_API_URL is not set: give the address of the Prefect server, such as http://server:4200/api.'
}

wait_for_server() {
  for _ in $(seq 1 120); do
    python -c 'import sys, urllib.request as r; r.urlopen(sys.argv[1] + "/health", timeout=2)' \
      "$PREFECT_API_URL" 2>/dev/null && return
    sleep 1
  done
  refuse "no Prefect server answers at $PREFECT_API_URL."
}

case "${1:-}" in
  server)
    # a month of runs is kept; Prefect itself would keep them for ever
    export PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED="${PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED:-events,flow_runs}"
    export PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD="${PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD:-2592000}"
    # held by a file: a server that forgets who holds a repository's only slot never gives it away again
    export PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE="${PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE:-prefect.server.concurrency.lease_storage.filesystem}"
    # all addresses, IPv6 included: private networks are IPv6 in places
    exec prefect server start --host "${SERVER_HOST:-::}" --port "${PORT:-4200}"
    ;;
  deploy)
    need_server
    wait_for_server
    exec python -m flows.deploy
    ;;
  worker)
    need_server
    wait_for_server
    python -m flows.deploy
    exec prefect worker start --pool "${AUTOFIX_POOL:-autofix}" --type process --with-healthcheck
    ;;
  *)
    refuse 'say `server`, `deploy` or `worker`.'
    ;;
esac
