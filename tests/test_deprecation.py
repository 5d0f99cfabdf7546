import sys
import warnings
from types import ModuleType

import pytest

import ganglion as gg
from ganglion.deprecation import RenamedAttribute, renamed_arguments, renamed_names


@renamed_arguments("9.9", share="fraction")
def split(rows: int, fraction: float = 0.5) -> float:
    """Split."""
    return rows * fraction


class Judge:
    def __init__(self) -> None:
        self.fractions = [0.5]

    def judge(self) -> int:
        return 3

    shares = RenamedAttribute("fractions", "9.9")
    reckon = RenamedAttribute("judge", "9.9")


def test_an_old_argument_works_and_names_the_new_one() -> None:
    with pytest.warns(
        DeprecationWarning, match=r"'share' of split\(\) is now 'fraction'.* until ganglion 9\.9"
    ) as seen:
        assert split(10, share=0.2) == 2  # type: ignore[call-arg]
    assert [warning.filename for warning in seen] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert split(10) == 5
        assert split(10, fraction=0.1) == split(10, 0.1) == 1
    assert split.__doc__ == "Split."


def test_an_argument_under_both_names_is_refused() -> None:
    with pytest.raises(TypeError, match="'share', its old name"):
        split(10, share=0.2, fraction=0.3)  # type: ignore[call-arg]
    with pytest.warns(DeprecationWarning, match="share"), pytest.raises(TypeError, match="multiple values"):
        split(10, 0.3, share=0.2)  # type: ignore[call-arg]


def test_an_old_attribute_or_method_works_and_names_the_new_one() -> None:
    with pytest.warns(DeprecationWarning, match=r"^Judge.shares is now Judge.fractions"):
        assert Judge().shares == [0.5]
    with pytest.warns(DeprecationWarning, match=r"^Judge.reckon is now Judge.judge") as seen:
        assert Judge().reckon() == 3
    assert [warning.filename for warning in seen] == [__file__]
    with pytest.warns(DeprecationWarning, match="reckon"):
        assert Judge.reckon is Judge.judge


def test_an_old_public_name_works_and_names_the_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    package = ModuleType("package")
    package.__path__ = []  # type: ignore[attr-defined]
    package.__getattr__ = renamed_names("package", gg.__getattr__, "9.9", Net="Network")  # type: ignore[method-assign, attr-defined]
    monkeypatch.setitem(sys.modules, "package", package)
    with pytest.warns(DeprecationWarning, match=r"^package.Net is now package.Network; .* 9\.9") as seen:
        assert package.Net is gg.Network
    assert [warning.filename for warning in seen] == [__file__]
    with pytest.warns(DeprecationWarning, match="Net") as seen:
        from package import Net  # type: ignore[import-not-found]
    assert Net is gg.Network
    assert {warning.filename for warning in seen} == {__file__}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert package.Dense is gg.Dense
    with pytest.raises(AttributeError, match="Transformer"):
        _ = package.Transformer
