import pytest

import ganglion as gg
from ganglion import errors


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


@pytest.mark.parametrize("module", ["ganglion", "ganglion.core.layers"])
def test_a_deprecation_points_to_the_line_of_the_user(module: str) -> None:
    package = {"__name__": module, "deprecated": errors.deprecated}
    source = "def full(): deprecated('ganglion.full', 'ganglion.dense', '0.9')"
    exec(compile(source, "package.py", "exec"), package)
    rule = r"ganglion\.full is deprecated and will be removed in ganglion 0\.9: use ganglion\.dense"
    with pytest.warns(DeprecationWarning, match=rule) as seen:
        exec(compile("full()", "user.py", "exec"), {"__name__": "user", "full": package["full"]})
    assert seen[0].filename == "user.py"
