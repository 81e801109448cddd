"""railway-autofix as a project of its own on Railway: `railway config plan`, then `apply`.

Set AUTOFIX_REPOSITORY to your fork, and at the first apply AUTOFIX_FIRST_APPLY=1: the agent's password
is generated then and kept from there on. The tokens are set once in Railway and kept as they are.
"""

import os
import secrets

from railway_sdk import define_railway, github, postgres, preserve, project, service, volume

REPOSITORY = os.environ.get("AUTOFIX_REPOSITORY", "you/railway-autofix")
FIRST_APPLY = os.environ.get("AUTOFIX_FIRST_APPLY") == "1"

# Railway's own variables name the project the tool runs in; these name the one that it watches.
WATCHED = ("RAILWAY_API_TOKEN", "AUTOFIX_PROJECT_ID", "AUTOFIX_ENVIRONMENT_ID")
TOKENS = (*WATCHED, "GITHUB_TOKEN", "OPENAI_API_KEY")
PREFECT = "http://${{server.RAILWAY_PRIVATE_DOMAIN}}:4200/api"
DATABASE = (
    "postgresql+asyncpg://${{database.PGUSER}}:${{database.PGPASSWORD}}"
    "@${{database.RAILWAY_PRIVATE_DOMAIN}}:5432/${{database.PGDATABASE}}"
)


@define_railway
def main(ctx=None):
    """A database, the Prefect server, the worker and the agent; nothing has a public domain."""
    database = postgres("database")
    server = service(
        "server",
        source=github(REPOSITORY),
        build={"builder": "DOCKERFILE", "dockerfilePath": "Dockerfile"},
        start="/app/container/run.sh server",
        healthcheck="/api/health",
        env={"PORT": "4200", "PREFECT_SERVER_DATABASE_CONNECTION_URL": DATABASE},
        volumeMounts={"/data": volume("server-home")},
    )
    agent = service(
        "agent",
        source=github(REPOSITORY, rootDirectory="opencode"),
        build={"builder": "DOCKERFILE", "dockerfilePath": "Dockerfile"},
        env={
            "OPENCODE_HOST": "::",
            "OPENCODE_SERVER_PASSWORD": secrets.token_urlsafe(32) if FIRST_APPLY else preserve(),
            "AUTOFIX_AGENT_MODEL": preserve(),
            "OPENAI_API_KEY": preserve(),
        },
        volumeMounts={"/home/agent": volume("agent-home")},
    )
    worker = service(
        "worker",
        source=github(REPOSITORY),
        build={"builder": "DOCKERFILE", "dockerfilePath": "Dockerfile"},
        start="/app/container/run.sh worker",
        env={
            **{name: preserve() for name in TOKENS},
            "AUTOFIX_MODEL": preserve(),
            "PREFECT_API_URL": PREFECT,
            "OPENCODE_URL": "http://${{agent.RAILWAY_PRIVATE_DOMAIN}}:4096",
            "OPENCODE_SERVER_PASSWORD": agent.env.OPENCODE_SERVER_PASSWORD,
        },
        volumeMounts={"/data": volume("results")},
    )
    return project("railway-autofix", resources=[database, server, agent, worker])
