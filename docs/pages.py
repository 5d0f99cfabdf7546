"""The pages whose code runs: what stands in them as output is what comes out.

    python docs/pages.py

runs every page of the guide, draws its pictures anew and writes its outputs into it. The tests run the
same code and compare.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GUIDE = Path(__file__).parent / "guide"
# Pictures that a page learns from, and where they may be: as a Debian package, and as `make pictures` fetches
# them.
DATA = "fashion-mnist"
PLACES = [Path("/usr/share/datasets"), GUIDE.parents[1] / "build/pictures/fashion/usr/share/datasets"]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class MissingDataError(Exception):
    """The pictures that a page learns from are not there."""


@dataclass
class Block:
    """A fenced block of a page: its language, what it holds, and where it stands."""

    language: str
    text: str
    start: int
    stop: int
    got: str | None = None


def pages() -> list[Path]:
    """Return the pages of the guide: the chapters, in order, and what stands beside them."""
    return sorted(GUIDE.glob("*.md"))


def chapters() -> list[Path]:
    """Return the chapters of the guide, which are numbered, in order."""
    return sorted(GUIDE.glob("[0-9]*.md"))


def run(page: Path, folder: Path) -> list[Block]:
    """Run the blocks of a page one after the other in a folder, and return them with what came out.

    Python blocks share one namespace, and the text block after one holds what it prints. Console blocks
    hold commands after `$ `, each followed by what it prints.
    """
    text = page.read_text("utf-8")
    blocks = [Block(m[1], m[2], m.start(2), m.end(2)) for m in FENCE.finditer(text)]
    if f'"{DATA}"' in text:
        (folder / DATA).symlink_to(find_data())
    names: dict[str, Any] = {"__name__": "__main__"}
    tools = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    os.environ.setdefault("MPLBACKEND", "Agg")
    printed = ""
    with contextlib.chdir(folder):
        for block in blocks:
            if block.language == "python":
                with contextlib.redirect_stdout(io.StringIO()) as out:
                    exec(compile(block.text, f"{page.name} at {block.start}", "exec"), names)
                printed = out.getvalue()
            elif block.language == "text":
                block.got, printed = printed, ""
            elif block.language == "console":
                commands = re.findall(r"^\$ (.*)$", block.text, re.MULTILINE)
                block.got = "".join(f"$ {command}\n{_shell(command, tools)}" for command in commands)
    if plots := sys.modules.get("matplotlib.pyplot"):
        plots.close("all")
    return blocks


def _shell(command: str, tools: dict[str, str]) -> str:
    done = subprocess.run(
        command, shell=True, env=os.environ | tools, capture_output=True, text=True, check=True
    )
    return done.stdout


def find_data() -> Path:
    """Return the folder of the pictures.

    Raises:
        MissingDataError: if there is none.
    """
    for place in PLACES:
        if (place / DATA).is_dir():
            return place / DATA
    raise MissingDataError(f"the data {DATA} are missing: make pictures fetches them")


def write(page: Path) -> None:
    """Run a page, and put its outputs and pictures in their places."""
    text = page.read_text("utf-8")
    with tempfile.TemporaryDirectory() as folder:
        for block in reversed(run(page, Path(folder))):
            if block.got is not None:
                text = text[: block.start] + block.got + text[block.stop :]
        for picture in Path(folder).glob("*.png"):
            (GUIDE / "pictures" / picture.name).write_bytes(picture.read_bytes())
    page.write_text(text, "utf-8")


if __name__ == "__main__":
    for page in pages():
        sys.stdout.write(f"{page.name}\n")
        try:
            write(page)
        except MissingDataError as error:
            sys.stdout.write(f"is left as it is: {error}\n")
