"""How the token comes to the page: in a file of one's own, after a #, which browsers keep to themselves."""

from __future__ import annotations

import secrets
import tempfile
from pathlib import Path

TOKEN_BYTES = 32


def new_token() -> str:
    """Return 256 random bits in hexadecimal."""
    return secrets.token_hex(TOKEN_BYTES)


def hand_over(port: int, token: str) -> Path:
    """Write a page that only this user can read, which leads to the studio and hands over the token.

    The token is in the fragment of the address, which browsers send to nobody.
    """
    handle = tempfile.NamedTemporaryFile(  # noqa: SIM115  # the browser opens it after it was closed
        "w", suffix=".html", prefix="ganglion-studio-", delete=False, encoding="utf-8"
    )
    with handle as file:  # made with mode 0600
        address = f"http://127.0.0.1:{port}/#{token}"
        file.write(
            f'<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url={address}">'
        )
    return Path(handle.name)
