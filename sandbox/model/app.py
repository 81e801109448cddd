"""The rehearsal model's endpoint: OpenAI's chat completions, answered by scripts."""

from __future__ import annotations

import json

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from sandbox.model.agent import SIGNATURE, TOOLS, answer_agent
from sandbox.model.planner import TOOL, answer_planner
from sandbox.model.wire import (
    MODEL,
    ChatRequest,
    Reply,
    parse_request,
    render_completion,
    render_stream,
)


def build_app() -> ASGIApp:
    """The endpoint below ``/v1``. It keeps no state: every answer follows from its request."""
    return Starlette(
        routes=[
            Route("/v1/models", _list_models, methods=["GET"]),
            Route("/v1/chat/completions", _complete, methods=["POST"]),
        ]
    )


def answer(request: ChatRequest) -> Reply:
    """As planner when the plan's tool is offered, as agent with an agent's tools, else a word."""
    if request.forced == TOOL or TOOL in request.tools:
        return answer_planner(request)
    if request.tools >= TOOLS:
        return answer_agent(request)
    if request.tools:
        return Reply(f"I have no script for these tools. {SIGNATURE}")
    return Reply("Rehearsal model (scripted)")


async def _list_models(_request: Request) -> Response:
    model = {"id": MODEL, "object": "model", "created": 0, "owned_by": "sandbox"}
    return JSONResponse({"object": "list", "data": [model]})


async def _complete(request: Request) -> Response:
    try:
        chat = parse_request(json.loads(await request.body()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        problem = {"message": str(error), "type": "invalid_request_error", "code": None}
        return JSONResponse({"error": problem}, 400)
    reply = answer(chat)
    if chat.stream:
        return StreamingResponse(render_stream(chat, reply), media_type="text/event-stream")
    return JSONResponse(render_completion(chat, reply))
