"""Pages for people: all pull requests, and one with its text and its diff."""

from __future__ import annotations

import html
import secrets
from collections.abc import Mapping
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from sandbox.forge.git import ChangedFile
from sandbox.forge.markdown import render_markdown
from sandbox.forge.state import Project, Pull, Refused

STYLE = """
:root { color-scheme: light dark; --line: #d0d7de; --soft: #f6f8fa; --text: #1f2328;
  --back: #fff; --dim: #59636e; --add: #dafbe1; --del: #ffebe9; --hunk: #ddf4ff; }
@media (prefers-color-scheme: dark) { :root { --line: #3d444d; --soft: #151b23;
  --text: #f0f6fc; --back: #0d1117; --dim: #9198a1; --add: #12351f; --del: #43191c;
  --hunk: #12263f; } }
* { box-sizing: border-box }
body { font: 15px/1.55 system-ui, sans-serif; margin: 0; color: var(--text); background: var(--back) }
main, header { max-width: 62rem; margin: 0 auto; padding: 1rem 1.25rem }
header { color: var(--dim); border-bottom: 1px solid var(--line) }
a { color: #4493f8; text-decoration: none } a:hover { text-decoration: underline }
h1 { font-size: 1.6rem; margin: .8rem 0 .4rem } h1 small { color: var(--dim); font-weight: 400 }
code, pre { font: 12.5px/1.5 ui-monospace, monospace }
:not(pre) > code { background: var(--soft); padding: .15em .35em; border-radius: 5px }
pre { background: var(--soft); padding: .8rem; border-radius: 6px; overflow-x: auto }
table { border-collapse: collapse; margin: 0 0 .8rem } td, th { border: 1px solid var(--line); padding: .3rem .7rem }
.state { display: inline-block; color: #fff; border-radius: 1rem; padding: .15rem .8rem; font-weight: 600 }
.open { background: #1a7f37 } .draft { background: #59636e }
.closed { background: #cf222e } .merged { background: #8250df }
.label { border: 1px solid var(--line); border-radius: 1rem; padding: 0 .6rem; font-size: .85em }
.box { border: 1px solid var(--line); border-radius: 8px; margin: 1rem 0; overflow: hidden }
.box > .head { background: var(--soft); padding: .45rem .9rem; border-bottom: 1px solid var(--line) }
.box > .text { padding: .2rem .9rem; overflow-x: auto }
.diff { margin: 0; padding: 0; border-radius: 0; background: none }
.diff span { display: block; padding: 0 .9rem; white-space: pre; min-width: max-content }
.plus { background: var(--add) } .minus { background: var(--del) }
.hunk { background: var(--hunk); color: var(--dim) }
.dim { color: var(--dim) } .row { padding: .6rem .9rem; border-top: 1px solid var(--line) }
button { font: inherit; padding: .35rem .9rem; border: 1px solid var(--line); border-radius: 6px;
  background: var(--soft); color: inherit; cursor: pointer }
button.go { background: #1a7f37; color: #fff }
"""


class Pages:
    """The forge's HTML side. Its forms carry a token, so that no other page can press them."""

    def __init__(self, projects: Mapping[str, Project]) -> None:
        self._projects = projects
        self._form_token = secrets.token_urlsafe(16)

    def routes(self) -> list[Route]:
        """The pages and the two buttons."""
        pull = "/{owner}/{repo}/pull/{number:int}"
        return [
            Route("/", self.index, methods=["GET"]),
            Route(pull, self.pull, methods=["GET"]),
            Route(f"{pull}/{{action}}", self.press, methods=["POST"]),
        ]

    async def index(self, _request: Request) -> Response:
        """All repositories and their pull requests."""
        return await run_in_threadpool(self._index)

    async def pull(self, request: Request) -> Response:
        """One pull request."""
        return await run_in_threadpool(self._pull, request)

    async def press(self, request: Request) -> Response:
        """A person merges or closes."""
        form = parse_qs((await request.body()).decode())
        if form.get("token") != [self._form_token]:
            return _page("Not allowed", "<p>Reload the page and try again.</p>", 403)
        return await run_in_threadpool(self._press, request)

    def _index(self) -> Response:
        parts = ["<h1>Repositories</h1>"]
        for name, project in sorted(self._projects.items()):
            rows = [_row(project, pull) for _, pull in sorted(project.pulls.items(), reverse=True)]
            body = "".join(rows) or '<div class="row dim">No pull requests yet.</div>'
            parts.append(f'<div class="box"><div class="head"><b>{_e(name)}</b></div>{body}</div>')
        return _page("Sandbox forge", "".join(parts))

    def _pull(self, request: Request) -> Response:
        found = self._find(request)
        if found is None:
            return _page("Not found", "<h1>There is no such pull request.</h1>", 404)
        project, pull = found
        files = project.repository.files(*project.range_of(pull))
        commits = project.commits_of(pull)
        parts = [
            _heading(pull, len(commits)),
            _box(f"<b>{_e(pull.login)}</b> wrote", render_markdown(pull.body)),
            *(
                _box(f"<b>{_e(c.login)}</b> commented", render_markdown(c.body))
                for c in pull.comments
            ),
            self._buttons(pull),
            "<h2>Commits</h2>",
            *(f"<p><code>{c.sha[:9]}</code> {_e(c.message.splitlines()[0])}</p>" for c in commits),
            f"<h2>Changed files: {len(files)}</h2>",
            *map(render_file, files),
        ]
        crumb = f'<a href="/">Sandbox forge</a> / {_e(project.full_name)}'
        return _page(pull.title, "".join(parts), crumb=crumb)

    def _press(self, request: Request) -> Response:
        found = self._find(request)
        if found is None:
            return _page("Not found", "<h1>There is no such pull request.</h1>", 404)
        project, pull = found
        try:
            if request.path_params["action"] == "merge":
                project.merge_pull(pull.number)
            else:
                project.edit_pull(pull.number, title=None, body=None, state="closed")
        except Refused as refused:
            return _page("Refused", f"<p>{_e(refused.message)}</p>", refused.status)
        return RedirectResponse(f"/{project.full_name}/pull/{pull.number}", status_code=303)

    def _find(self, request: Request) -> tuple[Project, Pull] | None:
        where = request.path_params
        project = self._projects.get(f"{where['owner']}/{where['repo']}")
        pull = project.pulls.get(where["number"]) if project else None
        return (project, pull) if project and pull else None

    def _buttons(self, pull: Pull) -> str:
        if pull.state != "open":
            return ""
        token = f'<input type="hidden" name="token" value="{self._form_token}">'
        ready = "Mark as ready and merge" if pull.draft else "Merge"
        buttons = f"""<button class="go" formaction="{pull.number}/merge">{ready}</button>
            <button formaction="{pull.number}/close">Close</button>"""
        return f'<form method="post">{token}{buttons}</form>'


def render_file(file: ChangedFile) -> str:
    """One file's diff, coloured."""
    if file.patch is None:
        text = '<div class="text dim">Binary or empty file.</div>'
    else:
        lines = "".join(map(_diff_line, file.patch.split("\n")))
        text = f'<div style="overflow-x:auto"><pre class="diff">{lines}</pre></div>'
    counts = f'<span class="dim">+{file.additions} &minus;{file.deletions} {file.status}</span>'
    head = f'<div class="head"><code>{_e(file.path)}</code> {counts}</div>'
    return f'<div class="box">{head}{text}</div>'


def _diff_line(line: str) -> str:
    kinds = {"+": "plus", "-": "minus", "@": "hunk"}
    return f'<span class="{kinds.get(line[:1], "")}">{_e(line) or " "}</span>'


def _heading(pull: Pull, commits: int) -> str:
    labels = " ".join(f'<span class="label">{_e(name)}</span>' for name in pull.labels)
    return f"""<h1>{_e(pull.title)} <small>#{pull.number}</small></h1>
        <p>{_state(pull)} <b>{_e(pull.login)}</b> wants to merge {commits} {"commit" if commits == 1 else "commits"} into
        <code>{_e(pull.base)}</code> from <code>{_e(pull.branch)}</code> {labels}</p>"""


def _row(project: Project, pull: Pull) -> str:
    link = f"/{project.full_name}/pull/{pull.number}"
    title = f'<a href="{_e(link)}">{_e(pull.title)}</a> <span class="dim">#{pull.number}</span>'
    return f'<div class="row">{_state(pull)} {title} <code>{_e(pull.branch)}</code></div>'


def _state(pull: Pull) -> str:
    name = "merged" if pull.merged_at else pull.state
    if name == "open" and pull.draft:
        name = "draft"
    return f'<span class="state {name}">{name.title()}</span>'


def _box(head: str, text: str) -> str:
    return f'<div class="box"><div class="head">{head}</div><div class="text">{text}</div></div>'


def _page(title: str, body: str, status: int = 200, crumb: str = "Sandbox forge") -> Response:
    page = f"""<!doctype html><html lang="en"><head><meta charset="utf-8">
        <meta name="viewport" content="width=device-width"><title>{_e(title)}</title>
        <style>{STYLE}</style></head><body><header>{crumb}</header><main>{body}</main></body></html>"""
    policy = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'"
    return HTMLResponse(page, status, {"Content-Security-Policy": policy})


def _e(text: str) -> str:
    return html.escape(text)
