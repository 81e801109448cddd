# The Prefect server and its worker, one image for both: `container/run.sh server` or `worker`.
#   docker build -t railway-autofix .
FROM python:3.11-slim-bookworm

# Versions come from the base image's release: a pinned Debian package is gone after its next update.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates git tini \
 && rm -rf /var/lib/apt/lists/*

WORKDIR /app
COPY requirements.runtime.lock ./
# the lock file is whole, and names versions and hashes but no registry: a mirror works as well
RUN pip install --no-cache-dir --no-deps --require-hashes --requirement requirements.runtime.lock
COPY pyproject.toml README.md prefect.yaml ./
COPY autofix ./autofix
COPY tasks ./tasks
COPY flows ./flows
COPY --chmod=0755 container/run.sh ./container/run.sh
RUN pip install --no-cache-dir --no-deps --no-build-isolation . \
 && useradd --create-home --shell /bin/bash --uid 10001 autofix \
 && install --directory --owner autofix --group autofix --mode 0700 /data

USER 10001
ENV HOME=/home/autofix \
    AUTOFIX_DIR=/app \
    DO_NOT_TRACK=1 \
    PREFECT_SERVER_ANALYTICS_ENABLED=false \
    PREFECT_HOME=/data/prefect \
    PYTHONUNBUFFERED=1
# persisted results; every worker needs the same one
VOLUME /data
EXPOSE 4200
ENTRYPOINT ["/usr/bin/tini", "-g", "--", "/app/container/run.sh"]
CMD ["worker"]
