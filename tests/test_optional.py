import sys
from pathlib import Path

import pytest

import ganglion as gg
from ganglion.optional import load


def test_a_missing_library_names_the_extra() -> None:
    with pytest.raises(gg.MissingPackageError, match=r"nonesuch.*pip install 'ganglion\[plot\]'"):
        load("nonesuch.thing", "plot")
    with pytest.raises(gg.MissingPackageError, match=r"nonesuch.*pip install nonesuch"):
        load("nonesuch")


def test_a_library_that_fails_to_load_says_its_own_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "half_installed.py").write_text("import something_it_needs\n")
    (tmp_path / "damaged.py").write_text("raise ImportError('its binary does not fit')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="something_it_needs"):
        load("half_installed", "plot")
    with pytest.raises(ImportError, match="its binary does not fit"):
        load("damaged", "plot")
    assert "half_installed" not in sys.modules
