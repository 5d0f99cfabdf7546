import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import ganglion as gg
from ganglion.errors import collect_notices, notice


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (gg.DataError, ValueError),
        (gg.ShapeError, ValueError),
        (gg.ConfigError, ValueError),
        (gg.FileError, OSError),
        (gg.TrainingError, RuntimeError),
        (gg.MissingPackageError, ImportError),
    ],
)
def test_every_error_is_ours_and_what_python_users_expect(
    error: type[gg.GanglionError], builtin: type
) -> None:
    raised = error("a rule, got 1", "do this")
    assert isinstance(raised, gg.GanglionError)
    assert isinstance(raised, builtin)
    assert str(raised) == "a rule, got 1 (do this)"
    assert str(error("a rule")) == "a rule"


def test_notices_are_collected_by_thread() -> None:
    """Each thread has its own, and the filters of warnings stay what they are."""
    both = threading.Barrier(2)

    def say(word: str) -> list[str]:
        with collect_notices() as found:
            both.wait(10)
            notice(word, "spellings")
            both.wait(10)
        return [str(each) for each in found]

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(say, ["a", "b"])) == [["a"], ["b"]]
    with pytest.warns(gg.GanglionNotice, match="c"):
        notice("c", "spellings")
    gg.silence("spellings")
    try:
        with collect_notices() as found:
            notice("d", "spellings")
    finally:
        gg.silence()
    assert not found
