"""The command line: a thin skin on `TableModel`.

It exits with 0 when the job was done, 1 when it failed, 2 for bad use, and never shows a traceback
unless `--debug` is given.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence

import cyclopts

import ganglion
from ganglion.errors import ConfigError, GanglionError

app = cyclopts.App(
    name="ganglion",
    help="Small and medium neural networks on an ordinary computer.",
    version=ganglion.__version__,
    help_format="plaintext",
)
# Each command is loaded when it is run, so that `--help` answers at once.
for _command, _help in {
    "demo": "Train on a table that comes with the package, and show everything.",
    "train": "Train a model to predict one column of a table from the others.",
    "predict": "Answer for each row of a table, in order.",
    "evaluate": "Judge a model on a table that holds the target too, beside the trivial answer.",
    "explain": "Show every number of one row on its way through a model, and what moved the answer.",
    "check": "Look for what is wrong with a model, its training or its table, and what to do about it.",
    "show": "Show a model: its columns, its network, how it was trained and how good it is.",
    "info": "Show versions, the engine in use and why, and the processor.",
}.items():
    _module = "insight" if _command in ("explain", "check") else "commands"
    app.command(f"ganglion.cli.{_module}:{_command}", name=_command, help=_help)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command, given in `arguments` or on the command line, and exit."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    try:
        app(words, exit_on_error=False, print_error=False)
    except cyclopts.CycloptsError as error:
        command = f"{words[0]} " if words and words[0] in app else ""
        _fail(2, " ".join(str(error).split()), f"see ganglion {command}--help", debug)
    except GanglionError as error:
        _fail(2 if isinstance(error, ConfigError) else 1, error.message, error.hint, debug)
    except KeyboardInterrupt:
        _fail(130, "interrupted", "", debug)
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has gone, which is their right
        sys.exit(0)
    except MemoryError:
        _fail(1, "the memory of this machine is not enough for that", "use fewer rows or units", debug)
    except Exception as error:  # a defect of ours: one line for people, all of it for --debug
        hint = "this is a defect in ganglion; run again with --debug and report what it prints"
        _fail(1, f"unexpected {type(error).__name__}: {error}", hint, debug)


def _fail(code: int, message: str, hint: str, debug: bool) -> None:
    if debug:
        traceback.print_exc()
    lines = [f"ganglion: {message}", *([f"hint: {hint}"] if hint else [])]
    sys.stderr.write("".join(" ".join(line.split()) + "\n" for line in lines))
    sys.exit(code)
