"""The studio over HTTP: files of the page, commands as JSON, uploads, exports, and frames as they come."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import AsyncIterator
from concurrent.futures import Future
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from ganglion.errors import ConfigError, DataError, GanglionError
from ganglion.studio import FRAME
from ganglion.studio.gate import Gate

MOST_COMMAND, MOST_TABLE = 2**20, 64 * 2**20  # bytes
MOST_DEPTH = 12  # of a command's lists and objects
TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
if TYPE_CHECKING:
    from ganglion.studio.session import Studio

JSON = "application/json"
HEARTBEAT = 100  # waits after which a frame is sent again, so that a page that is gone is noticed


def make_app(studio: Future[Studio], port: int, token: str) -> ASGIApp:
    """Return the ASGI application of a studio, behind its gate.

    Args:
        studio: the session, once it is there; the files of the page do not wait for it.
        port: at which it will listen.
        token: that every request to `/api/` must show.
    """
    service = _Service(studio)
    routes = [Route(path, service.file, methods=["GET"]) for path in page_files()]
    routes += [
        Route("/api/do", service.do, methods=["POST"]),
        Route("/api/table", service.table, methods=["POST"]),
        Route("/api/export", service.export, methods=["POST"]),
        Route("/api/frames", service.frames, methods=["GET"]),
    ]
    app = Starlette(routes=routes)
    app.router.redirect_slashes = False
    return Gate(app, port, token)


@cache
def page_files() -> dict[str, tuple[str, bytes]]:
    """Return the files of the page by path: kind and contents. No other path is answered."""
    found = {}
    root = files(__package__).joinpath("page")
    for folder, prefix in ((root, ""), *((root.joinpath(name), f"{name}/") for name in ("views", "vendor"))):
        for entry in folder.iterdir():
            kind = TYPES.get(Path(entry.name).suffix)
            if kind is not None:
                found[f"/{prefix}{entry.name}"] = (kind, entry.read_bytes())
    found["/"] = found.pop("/page.html")
    return found


class _Service:
    """Answers the paths behind the gate."""

    def __init__(self, studio: Future[Studio]) -> None:
        self._making = studio

    @property
    def _studio(self) -> Studio:
        """The session, waited for in the thread that needs it."""
        return self._making.result()

    async def file(self, request: Request) -> Response:
        kind, contents = page_files()[request.url.path]
        return Response(contents, media_type=kind)

    async def do(self, request: Request) -> Response:
        return await self._answer(request, MOST_COMMAND, lambda data: self._studio.do(_command(data)))

    async def table(self, request: Request) -> Response:
        query = request.query_params
        ending, label = query.get("kind", ""), query.get("name", "")
        return await self._answer(request, MOST_TABLE, lambda data: self._studio.upload(data, ending, label))

    async def export(self, request: Request) -> Response:
        def work(data: bytes) -> Response:
            name, contents = self._studio.export(_command(data))
            headers = {"X-File-Name": quote(name)}
            return Response(contents, media_type="application/octet-stream", headers=headers)

        return await self._answer(request, MOST_COMMAND, work)

    async def _answer(self, request: Request, most: int, work: Any) -> Response:
        """Return what is done with a body, or why it is refused, on one line."""
        try:
            data = await _body(request, most)
            found = await run_in_threadpool(work, data)
            return found if isinstance(found, Response) else _json(found)
        except GanglionError as error:
            return _json(
                {"error": error.message, "hint": error.hint}, 400 if isinstance(error, ConfigError) else 422
            )
        except ClientDisconnect:
            return _json({"error": "the request ended before its body did", "hint": ""}, 400)
        except MemoryError:
            return _json({"error": "out of memory", "hint": "use a smaller table or network"}, 503)

    async def frames(self, request: Request) -> Response:
        return StreamingResponse(self._frames(request), media_type="application/octet-stream")

    async def _frames(self, request: Request) -> AsyncIterator[bytes]:
        """Yield frames, each after its length in bytes; whoever is slow misses some."""
        sent, waited = -1, 0
        await asyncio.wrap_future(self._making)
        while not (self._studio.is_ending or await request.is_disconnected()):
            number, frame = self._studio.frame
            waited += 1
            if number != sent or waited > HEARTBEAT:
                yield struct.pack("<I", len(frame)) + frame
                sent, waited = number, 0
            await asyncio.sleep(FRAME)


async def _body(request: Request, most: int) -> bytes:
    """Return the body of a request.

    Raises:
        DataError: if it is too long; it is not read to the end then.
    """
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise DataError(f"a request must have at most {most:,} bytes", "use a smaller table")
        parts.append(part)
    return b"".join(parts)


def _command(data: bytes) -> Any:
    """Return a command from its JSON.

    Raises:
        ConfigError: if it is none, or is too deep.
    """
    try:
        found = json.loads(data, parse_constant=_refuse)
        is_deep = _depth(found) > MOST_DEPTH
    except (ValueError, RecursionError) as error:
        raise ConfigError("a command must be JSON") from error
    if is_deep:
        raise ConfigError(f"a command must be at most {MOST_DEPTH} lists or objects deep")
    return found


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


def _depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(_depth, inner), default=0)


def _json(facts: Any, status: int = 200) -> Response:
    return Response(json.dumps(facts, allow_nan=False), status, media_type=JSON)
