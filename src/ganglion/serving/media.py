"""Media types: the format of a request's body, and the one that its answer is to have."""

from __future__ import annotations

from dataclasses import dataclass

from ganglion.errors import ConfigError, GanglionError
from ganglion.tables.reading import ReadOptions

JSON, CSV = "application/json", "text/csv"
ARROW_STREAM, ARROW_FILE = "application/vnd.apache.arrow.stream", "application/vnd.apache.arrow.file"
MEDIA = (JSON, CSV, ARROW_STREAM, ARROW_FILE)


class UnsupportedMediaError(GanglionError):
    """A body in a format that is not read."""


class NotAcceptableError(GanglionError):
    """A request for an answer in a format that is not written."""


@dataclass(frozen=True)
class Media:
    """The format of a body.

    Args:
        kind: one of `MEDIA`.
        encoding: of text; None to find it.
    """

    kind: str
    encoding: str | None = None


def media_of(content_type: str | None, content_encoding: str | None) -> Media:
    """Return the format of the body of a request, from its headers.

    Raises:
        UnsupportedMediaError: if it is none that is read. A page of another site can make a browser send any
            other type without asking first, and none at all.
    """
    if content_encoding is not None and content_encoding.strip().lower() not in ("", "identity"):
        raise UnsupportedMediaError(
            f"a body must not be encoded, got Content-Encoding: {content_encoding}", "send it uncompressed"
        )
    kind, *parameters = [part.strip() for part in (content_type or "").split(";")]
    if kind.lower() not in MEDIA:
        raise UnsupportedMediaError(
            f"the Content-Type must be {', '.join(MEDIA)}, got {kind or 'none'}",
            "such as: curl -H 'Content-Type: application/json' -d ...",
        )
    given = dict(part.partition("=")[::2] for part in parameters)
    charset = {name.strip().lower(): value for name, value in given.items()}.get("charset", "").strip(' "')
    if kind.lower() == JSON and charset.lower() not in ("", "utf-8", "utf8", "us-ascii"):
        raise UnsupportedMediaError(f"JSON must be in UTF-8, got charset={charset}", "leave out the charset")
    if kind.lower() != CSV:
        return Media(kind.lower())
    try:
        return Media(CSV, ReadOptions(encoding=charset or None).encoding)
    except ConfigError as error:
        raise UnsupportedMediaError(error.message, error.hint) from error


def accepted(accept: str | None, of_request: str) -> str:
    """Return the format of an answer: the one preferred by the header Accept, by default that of the request.

    Raises:
        NotAcceptableError: if the header admits none that is written.
    """
    if accept in (None, "", "*/*"):
        return of_request
    weights: dict[str, float] = {}
    for part in str(accept).split(","):
        kind, *parameters = [each.strip().lower() for each in part.split(";")]
        weights[kind] = next((_weight(each) for each in parameters if each.startswith("q=")), 1.0)

    def weight(kind: str) -> float:
        ranges = (kind, kind.partition("/")[0] + "/*", "*/*")
        return next((weights[each] for each in ranges if each in weights), 0.0)

    best = max((of_request, *MEDIA), key=weight)  # of equals, the first
    if weight(best) <= 0:
        raise NotAcceptableError(
            f"the answer must be {', '.join(MEDIA)}, got Accept: {accept}", "leave out Accept"
        )
    return best


def _weight(parameter: str) -> float:
    try:
        return float(parameter.removeprefix("q="))
    except ValueError:
        return 0.0
