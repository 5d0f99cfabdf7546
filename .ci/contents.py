"""Checks what is in a source distribution and a wheel, and prints their sizes: contents.py SDIST WHEEL."""

from __future__ import annotations

import re
import sys
import tarfile
import zipfile
from pathlib import Path


def main() -> None:
    """Check the files named on the command line."""
    files = [Path(name) for name in sys.argv[1:]]
    (sdist,) = (file for file in files if file.name.endswith(".tar.gz"))
    (wheel,) = (file for file in files if file.suffix == ".whl")
    with tarfile.open(sdist) as archive:
        source = {"/".join(name.split("/")[1:]) for name in archive.getnames()}
    built = set(zipfile.ZipFile(wheel).namelist())

    project = Path("pyproject.toml").read_text()
    version = re.search(r'^version = "(.+)"$', project, re.M)
    api = re.search(r'^wheel.py-api = "cp3(\d+)"$', project, re.M)
    assert version is not None
    assert api is not None
    stable = sys.version_info >= (3, int(api[1]))
    tag = f"cp3{api[1]}-abi3" if stable else "cp{0}{1}-cp{0}{1}".format(*sys.version_info)
    assert wheel.name.startswith(f"ganglion-{version[1]}-{tag}-"), wheel.name

    python = {
        str(path.relative_to("src"))
        for path in Path("src/ganglion").rglob("*.*")
        if path.suffix in (".py", ".pyi") or path.name.endswith(".d.ts")
    }
    data = {str(path.relative_to("src")) for path in Path("src/ganglion/tables/data").iterdir()}
    data |= {  # pages and their parts
        str(path.relative_to("src"))
        for path in Path("src/ganglion").rglob("*.*")
        if path.suffix in (".html", ".css", ".js", ".svg", ".json", ".md", ".txt")
        and "native" not in path.parts
    }
    metadata = f"ganglion-{version[1]}.dist-info"
    needed = (
        python | data | {"ganglion/py.typed", f"{metadata}/licenses/LICENSE", f"{metadata}/entry_points.txt"}
    )
    assert needed <= built, f"the wheel lacks {sorted(needed - built)}"
    engines = [name for name in built if re.fullmatch(r"ganglion/_native\..*(so|pyd)", name)]
    assert len(engines) == 1, f"the wheel has the engines {engines}"
    others = (
        built - needed - set(engines) - {f"{metadata}/{name}" for name in ("METADATA", "WHEEL", "RECORD")}
    )
    assert not others, f"the wheel has {sorted(others)} besides"
    assert (".abi3." in engines[0]) == stable, engines[0]

    native = {str(path) for path in Path("src/ganglion/native").iterdir()}
    assert native | {"CMakeLists.txt", "LICENSE", "README.md", "pyproject.toml"} <= source
    assert not [name for name in source if re.search(r"\.(so|pyd)$|^(\.ci|tests|build)/", name)]
    for file in (sdist, wheel):
        print(f"{file.name}: {file.stat().st_size / 2**20:.2f} MiB")


if __name__ == "__main__":
    main()
