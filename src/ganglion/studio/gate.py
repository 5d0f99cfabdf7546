"""The gate: lets in nothing but the studio's own page in the browser of whoever started it.

Everything is refused unless a rule below allows it. A page of another site can make a browser send requests
to this computer; what it cannot do is name the studio's own host and origin, or know the token.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ganglion.errors import shortened

PRIVATE = "/api/"  # paths that need the token; the others are the files of the package, the same for everyone
METHODS = ("GET", "POST")
CONTENT = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": CONTENT,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class Gate:
    """An ASGI application around another one.

    Args:
        app: what is behind the gate.
        port: at which the studio listens.
        token: 256 bits in hexadecimal, which every request to `/api/` must show.
    """

    def __init__(self, app: ASGIApp, port: int, token: str) -> None:
        self._app, self._token = app, token.encode()
        self._hosts = {f"{name}:{port}".encode() for name in ("127.0.0.1", "localhost")}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
                message = {**message, "headers": [*message.get("headers", []), *headers]}
            await send(message)

        refusal = self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, guarded)
            return
        status, reason = refusal
        body = reason.encode()
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", str(len(body)).encode()),
        ]
        headers.append((b"connection", b"close"))  # or the server would read on in a body that it refused
        await guarded({"type": "http.response.start", "status": status, "headers": headers})
        await guarded({"type": "http.response.body", "body": body})

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Return why a request is refused, with a status; None if it may pass."""
        headers: Iterable[tuple[bytes, bytes]] = scope["headers"]
        given: dict[bytes, list[bytes]] = {}
        for name, value in headers:
            given.setdefault(name.lower(), []).append(value)
        hosts = given.get(b"host", [])
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            return 403, "the studio answers to 127.0.0.1 and localhost at its own port only"
        if scope["method"] not in METHODS:
            return 405, f"the studio does not take {shortened(scope['method'])}"
        site = given.get(b"sec-fetch-site", [])
        private = scope["path"].startswith(PRIVATE)
        if not private:
            if scope["method"] != "GET":
                return 405, "this path takes GET only"
            opened = given.get(b"sec-fetch-dest") == [b"document"]
            if site and site not in ([b"same-origin"], [b"none"]) and not opened:
                return 403, "files of the studio are for its own page"
            return None
        if site != [b"same-origin"]:
            return 403, "requests must come from the studio's own page"
        origins = given.get(b"origin", [])
        own = [b"http://" + hosts[0].lower()]
        if origins != own and (scope["method"] != "GET" or origins):
            return 403, "requests must have the studio's own origin"
        shown = given.get(b"authorization", [])
        if len(shown) != 1 or not hmac.compare_digest(shown[0], b"Bearer " + self._token):
            return 401, "the token of this studio is missing; open it again from where it was started"
        return None
