"""The command that opens the studio."""

from __future__ import annotations

import contextlib
import glob
import signal
import socket
import sys
import webbrowser
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from ganglion.checks import check_integer
from ganglion.cli.console import Flag, Whole, say
from ganglion.errors import ConfigError, FileError
from ganglion.optional import load
from ganglion.studio.handing import hand_over, new_token

if TYPE_CHECKING:
    from ganglion.studio.session import Studio

MODEL = ".safetensors"
BACKLOG = 64
MOST_CONNECTIONS = 32
SECONDS_TO_END = 2


def studio(
    source: Path | None = None, /, *, table: Path | None = None, port: Whole = 0, no_browser: Flag = False
) -> None:
    """Open a page in the browser where you watch a network learn your own table, step by step, until Ctrl-C.

    The page is for this computer alone. From another one, use `ssh -L PORT:127.0.0.1:PORT` and --no-browser.

    Parameters
    ----------
    source
        A table, as for train; a model file written by train; a lesson (.json); or nothing, to choose on the
        page.
    table
        With a model: the table that it learned from, or one like it.
    port
        Port to listen at; by default any free one.
    no_browser
        Only print the address.
    """
    load("uvicorn", "studio")
    load("starlette", "studio")
    check_integer("--port", port, at_least=0, at_most=65_535)
    if table is not None and (source is None or source.suffix != MODEL):
        raise ConfigError("--table goes with a model file", "give the table alone")
    for path in (source, table):
        if path is not None and not path.exists() and not glob.has_magic(str(path)):
            raise FileError(f"cannot read {path}: there is no such file")
    with socket.create_server(("127.0.0.1", port), backlog=BACKLOG) as listener:
        found, token = listener.getsockname()[1], new_token()
        page = hand_over(found, token)
        try:
            # The server raises the signal that ended it once more: it must not end the process at once.
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
            say(f"the studio is open at http://127.0.0.1:{found}/#{token}")
            say("Ctrl-C ends it")
            if not no_browser:
                webbrowser.open(page.as_uri())
            _serve(listener, token, source, table)  # the browser starts meanwhile, and waits
        finally:
            page.unlink(missing_ok=True)
    say("ended")


def _serve(listener: socket.socket, token: str, source: Path | None, table: Path | None) -> None:
    """Serve a studio until a signal ends it."""
    import uvicorn  # noqa: PLC0415

    from ganglion.studio.server import make_app  # noqa: PLC0415

    pool = ThreadPoolExecutor(1)
    making = pool.submit(_session, source, table)  # the page is loaded meanwhile

    class Server(uvicorn.Server):
        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            if making.done() and making.exception() is None:
                making.result().is_ending = True  # or the frames would never end
            super().handle_exit(sig, frame)

    def check(made: Future[Studio]) -> None:
        server.should_exit = server.should_exit or made.exception() is not None

    try:
        config = uvicorn.Config(
            make_app(making, listener.getsockname()[1], token),
            log_level="warning",
            access_log=False,
            server_header=False,
            date_header=False,
            ws="none",
            proxy_headers=False,
            limit_concurrency=MOST_CONNECTIONS,
            timeout_graceful_shutdown=SECONDS_TO_END,
        )
        server = Server(config)
        making.add_done_callback(check)
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[listener])
    finally:
        pool.shutdown()
        making.result().close()  # or raises why there is none


def _session(source: Path | None, table: Path | None) -> Studio:
    """Return a studio that begins with a table, a model or a lesson.

    Raises:
        FileError: for a model of another kind.
    """
    from ganglion.studio.data import Source  # noqa: PLC0415
    from ganglion.studio.lesson import Lesson  # noqa: PLC0415
    from ganglion.studio.session import Studio  # noqa: PLC0415

    if source is None:
        return Studio()
    if source.suffix == MODEL:
        from ganglion.cli import joint  # noqa: PLC0415
        from ganglion.table_model import TableModel  # noqa: PLC0415

        model = joint.load_any(source)
        if not isinstance(model, TableModel):
            raise FileError(f"{source} is no model of a table with one target", "the studio shows only those")
        known = None if table is None else Source(table, table.name)
        return Studio(known, model=model, model_name=source.name)
    if source.suffix == ".json" and source.is_file() and Lesson.is_one(contents := source.read_bytes()):
        return Studio(lesson=Lesson.read(contents))
    return Studio(Source(source, source.name))
