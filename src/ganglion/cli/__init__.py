"""The command line: a thin layer over `TableModel`.

Exit codes are 0 for success, 1 for a failed job and 2 for bad usage. Tracebacks appear only with `--debug`.
"""

from __future__ import annotations

import gc
import sys
import traceback
from collections.abc import Sequence

import cyclopts

import ganglion
from ganglion.cli import console
from ganglion.errors import ConfigError, GanglionError, GanglionNotice, silence

# To start makes many objects and little garbage: looking for it took a tenth of the time.
gc.set_threshold(100_000, 50, 100)

app = cyclopts.App(
    name="ganglion",
    help="Small and medium neural networks on an ordinary computer. Every command also takes --strict, which "
    "turns notes into errors, --silence NAME,NAME, which silences notes by name, and --debug.",
    version=ganglion.__version__,
    help_format="plaintext",
)
# Each command is imported when it runs, so that `--help` is fast.
for _command, _help in {
    "demo": "Train on a table that comes with the package, and show everything.",
    "train": "Train a model to predict one column of a table from the others, or what is in pictures.",
    "predict": "Predict the target for each row of a table, or for each picture, in order.",
    "evaluate": "Evaluate a model on a table with the target, or on pictures, compared with a baseline.",
    "compare": "Compare ganglion with other learners on the same folds of a table.",
    "explain": "Show every number that a model computes for one row or picture, and what moved the answer.",
    "check": "Find problems of a model, its training or its data, each with a remedy.",
    "studio": "Watch a network learn your own table, step by step, in the browser.",
    "serve": "Answer requests over HTTP with the predictions of a model.",
    "export": "Write a model to a file that other programs run: C, a page, ONNX, Python or SQL.",
    "show": "Show a model: its columns or pictures, network, training and report.",
    "info": "Show versions, the engine in use and why, and the processor.",
}.items():
    _module = {
        "compare": "comparing",
        "explain": "insight",
        "check": "insight",
        "export": "exporting",
        "serve": "serving",
        "studio": "studio",
    }.get(_command, "commands")
    # What cyclopts writes by itself names several files ARGS above the table that calls them MORE.
    _usage = (
        f"Usage: ganglion {_command} [OPTIONS] TABLE [MORE...]" if _command in ("train", "compare") else None
    )
    app.command(f"ganglion.cli.{_module}:{_command}", name=_command, help=_help, usage=_usage)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command, given in `arguments` or on the command line, and exit."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    # cyclopts takes a lone - for an option; the path ./- is the same, standard input.
    words = ["./-" if word == "-" else word for word in words if word != "--debug"]
    try:
        words = _take_notice_options(words)
        app(words, exit_on_error=False, print_error=False)
    except cyclopts.CycloptsError as error:
        command = f"{words[0]} " if words and words[0] in app else ""
        _fail(2, " ".join(str(error).split()), f"see ganglion {command}--help", debug)
    except GanglionNotice as error:  # with --strict
        hint = f"leave out --strict, or silence it with --silence {error.name}"
        _fail(1, f"{error} [{error.name}]", hint, debug)
    except GanglionError as error:
        _fail(2 if isinstance(error, ConfigError) else 1, error.message, error.hint, debug)
    except KeyboardInterrupt:
        _fail(130, "interrupted", "", debug)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output closed the pipe, which is no error
        sys.exit(0)
    except MemoryError:
        _fail(1, "out of memory", "use fewer rows or units, or a smaller --size of pictures", debug)
    except Exception as error:  # a bug in ganglion: one line by default, the traceback with --debug
        hint = "this is a bug in ganglion; run again with --debug and report the output"
        _fail(1, f"unexpected {type(error).__name__}: {error}", hint, debug)


def _take_notice_options(words: list[str]) -> list[str]:
    """Apply --strict and --silence, which every command has, and return the other words."""
    console.strict = "--strict" in words
    silence()
    rest, left = list[str](), iter(word for word in words if word != "--strict")
    for word in left:
        name, equals, value = word.partition("=")
        if name != "--silence":
            rest.append(word)
        elif not (names := value if equals else next(left, "")):
            raise ConfigError("--silence must be followed by names of notices", "such as missing-values")
        else:
            silence(*(each.strip() for each in names.split(",")))
    return rest


def _fail(code: int, message: str, hint: str, debug: bool) -> None:
    if debug:
        traceback.print_exc()
    lines = [f"ganglion: {message}", *([f"hint: {hint}"] if hint else [])]
    sys.stderr.write("".join(" ".join(line.split()) + "\n" for line in lines))
    sys.exit(code)
