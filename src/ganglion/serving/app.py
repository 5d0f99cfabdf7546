"""The application: the paths of the server, its limits, and what it says to a request that it refuses."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import threading
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import polars as pl
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

import ganglion
from ganglion.errors import (
    ConfigError,
    DataError,
    FileError,
    GanglionError,
    GanglionNotice,
    amount,
    one_of,
    shortened,
)
from ganglion.joint import heads_of
from ganglion.serving.bodies import needed_columns, read_body
from ganglion.serving.limits import Limits, TooLargeError
from ganglion.serving.media import JSON, Media, NotAcceptableError, UnsupportedMediaError, accepted, media_of
from ganglion.serving.openapi import describe
from ganglion.serving.predicting import Wanted, answer, to_json
from ganglion.table_model.answering import AnyModel

LOCAL = ("127.0.0.1", "localhost", "[::1]")
EVERY_ADDRESS = ("0.0.0.0", "[::]")  # noqa: S104  # only compared with
SMALL_NETWORK, SMALL_BODY = 500_000, 16_384  # parameters, bytes: less than a millisecond of work
PATHS = ("/predict", "/health", "/openapi.json")
CLOSE = {"Connection": "close"}  # or the server would go on reading a body that it refused
LATER = CLOSE | {"Retry-After": "1"}
STATUS: dict[type[GanglionError], int] = {  # the first that an error is one of
    UnsupportedMediaError: 415,
    NotAcceptableError: 406,
    TooLargeError: 413,
    ConfigError: 400,
    FileError: 400,
    DataError: 422,
    GanglionError: 500,
}


def make_app(
    model: AnyModel, limits: Limits | None = None, hosts: Collection[str] = (), strict: bool = False
) -> Starlette:
    """Return an ASGI application that answers with the predictions of a model.

    Args:
        model: of one target or several. It must not be trained while it serves.
        limits: of requests; see `Limits` for the defaults.
        hosts: names of this server besides 127.0.0.1 and localhost. A request for another one is refused, so
            that no page of another site reaches the server by a name of its own; with 0.0.0.0 or [::], any
            address will do, but no other name.
        strict: whether to refuse rows that there is a notice about, such as one of an unknown category.
    """
    service = _Service(model, Limits() if limits is None else limits, strict)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> Any:
        yield
        service.pool.shutdown(wait=False, cancel_futures=True)

    app = Starlette(
        routes=[
            Route("/predict", service.predict, methods=["POST"]),
            Route("/health", service.health, methods=["GET"]),
            Route("/openapi.json", service.openapi, methods=["GET"]),
        ],
        middleware=[Middleware(_HostCheck, hosts=frozenset(map(str.lower, (*LOCAL, *hosts))))],
        exception_handlers={HTTPException: _refuse_path, Exception: _confess},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    return app


def refusal(status: int, error: str, hint: str = "", headers: dict[str, str] | None = None) -> Response:
    """Return an answer that says what was wrong, on one line of JSON."""
    facts = {"error": " ".join(error.split()), "hint": " ".join(hint.split())}
    return Response(to_json(facts), status, headers, JSON)


class _Service:
    """Answers the paths."""

    def __init__(self, model: AnyModel, limits: Limits, strict: bool) -> None:
        self.model, self.limits, self.strict = model, limits, strict
        self.needed = needed_columns(model)
        self.is_small = model.network.architecture.size <= SMALL_NETWORK
        self.most_rows = limits.most_rows(model.network.architecture.outputs[0])
        self.description = to_json(describe(model, limits))
        self.facts = to_json(
            {
                "status": "ok",
                "ganglion": ganglion.__version__,
                "targets": {head.target.column: head.target.task for head in heads_of(model)},
                "engine": model.network.engine,
            }
        )
        self.slots = threading.BoundedSemaphore(limits.requests)
        self.pool = ThreadPoolExecutor(_processors(), thread_name_prefix="predict")

    async def health(self, request: Request) -> Response:
        return Response(self.facts, media_type=JSON)

    async def openapi(self, request: Request) -> Response:
        return Response(self.description, media_type=JSON)

    async def predict(self, request: Request) -> Response:
        headers = request.headers
        try:
            media = media_of(headers.get("content-type"), headers.get("content-encoding"))
            kind = accepted(headers.get("accept"), media.kind)
            wanted = Wanted.from_query(request.query_params.multi_items())
            return Response(await self._predict(request, media, wanted, kind), media_type=kind)
        except GanglionNotice as error:
            return refusal(422, f"{error} [{error.name}]", "the server was started with --strict")
        except GanglionError as error:
            status = next(status for each, status in STATUS.items() if isinstance(error, each))
            return refusal(status, error.message, error.hint, None if self._is_read(request) else CLOSE)
        except TimeoutError:
            limit = f"a request may take {self.limits.seconds:g} s"
            return refusal(503, limit, "send fewer rows, or try again later", LATER)
        except _BusyError:
            limit = f"the server takes {amount(self.limits.requests, 'request')} at a time"
            return refusal(503, limit, "try again later", LATER)
        except ClientDisconnect:
            return refusal(400, "the request ended before its body did", headers=CLOSE)
        except MemoryError:
            return refusal(503, "out of memory", "send fewer rows", LATER)

    @staticmethod
    def _is_read(request: Request) -> bool:
        return bool(getattr(request.state, "is_read", False))

    async def _predict(self, request: Request, media: Media, wanted: Wanted, kind: str) -> bytes:
        """Return the body of an answer, made by a thread so that other requests are answered meanwhile.

        One record is predicted in less time than handing it to a thread takes. A thread cannot be stopped:
        after the time limit it ends its work in vain, and only then gives its place to another request.
        """
        if not self.slots.acquire(blocking=False):
            raise _BusyError
        job = None
        try:
            async with asyncio.timeout(self.limits.seconds):
                data = await self._body(request)
                if self.is_small and media.kind == JSON and _is_small_record(data):
                    return self._work(data, media, wanted, kind)
                job = self.pool.submit(self._work, data, media, wanted, kind)
                job.add_done_callback(lambda job: self.slots.release())
                return await asyncio.wrap_future(job)
        finally:
            if job is None:
                self.slots.release()

    async def _body(self, request: Request) -> bytes:
        most = self.limits.bytes
        stated = request.headers.get("content-length", "0")
        size = int(stated) if stated.isdecimal() else 0
        parts: list[bytes] = []
        if size <= most:
            size = 0
            async for part in request.stream():
                size += len(part)
                if size > most:
                    break
                parts.append(part)
        if size > most:
            raise TooLargeError(
                f"the body must hold at most {self.limits.megabytes:g} MiB ({most:,} bytes)",
                "send it in parts",
            )
        request.state.is_read = True
        return b"".join(parts)

    def _work(self, data: bytes, media: Media, wanted: Wanted, kind: str) -> bytes:
        try:
            rows = read_body(self.model, self.needed, data, media, self.most_rows)
            return answer(self.model, rows, wanted, kind, self.strict)
        except pl.exceptions.PanicException as error:  # which is no Exception
            raise RuntimeError(f"polars panicked: {error}") from error


def _is_small_record(data: bytes) -> bool:
    return len(data) <= SMALL_BODY and data[:20].lstrip()[:1] == b"{"


class _BusyError(Exception):
    """As many requests as there may be are being answered."""


class _HostCheck:
    """Refuses requests for another host: a page whose site's name was made to lead here sends that name."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self.app, self.hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            given = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
            if len(given) != 1 or not self._admits(given[0]):
                shown = shortened(given[0]) if given else "none"
                respond = refusal(421, f"the host {shown} is not served here", one_of("", self.hosts), CLOSE)
                await respond(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _admits(self, host: str) -> bool:
        name, colon, port = host.lower().rpartition(":")
        if not colon or not port.isdecimal():
            name = host.lower()
        if name in self.hosts:
            return True
        return not self.hosts.isdisjoint(EVERY_ADDRESS) and _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


async def _refuse_path(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    path = request.url.path
    headers = CLOSE | dict(error.headers or {})
    if error.status_code == 404:
        return refusal(404, f"there is no path {shortened(path)}", one_of(path, PATHS), headers)
    if error.status_code == 405:
        use = headers.get("Allow", "")
        return refusal(405, f"{path} does not take {request.method}", f"use {use}", headers)
    return refusal(error.status_code, error.detail, "", headers)


async def _confess(request: Request, error: Exception) -> Response:
    hint = "this is a bug in ganglion; report the traceback that the server printed"
    return refusal(500, f"unexpected {type(error).__name__}", hint)


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
