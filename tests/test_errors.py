import pytest

import ganglion as gg


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
