"""The studio: its runs, the commands that change them, and the thread that plays.

One lock guards everything. The player holds it for a few hundredths of a second at a time, and lets commands
go first.
"""

from __future__ import annotations

import dataclasses
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ganglion.checks import check_number
from ganglion.core.part import plain
from ganglion.errors import ConfigError, GanglionError, collect_notices, shortened
from ganglion.studio import FRAME, exports
from ganglion.studio.answers import Question, answer, index_of, whole
from ganglion.studio.data import Data, Source, check_row
from ganglion.studio.lesson import Lesson, make_lesson
from ganglion.studio.run import Edit, Run, View
from ganglion.studio.settings import Settings, catalog, remedied
from ganglion.table_model import TableModel
from ganglion.tables.examples import EXAMPLES

MOST_RUNS = 24
SLICE = 0.03  # seconds that the player holds the lock for
SPEEDS = (1.0, 10.0, 100.0, 0.0)  # updates a second; 0 for as fast as it goes


class Studio:
    """The runs of one person, and the thread that plays one of them.

    Args:
        source: the table to begin with; None for none.
        lesson: the lesson to begin with; None for none.
        model: a model to go on with, on this table or the next; None for none.
        model_name: of its file.
    """

    def __init__(
        self,
        source: Source | None = None,
        lesson: Lesson | None = None,
        model: TableModel | None = None,
        model_name: str = "",
    ) -> None:
        self.model, self.model_name = model, model_name
        self._folder = tempfile.TemporaryDirectory(prefix="ganglion-studio-")
        self.folder = Path(self._folder.name)
        self.data: Data | None = None
        self.runs: dict[int, Run] = {}
        self.current = 0
        self.view = View()
        self.lesson: Lesson | None = None
        self.speed = 0.0
        self.frame: tuple[int, bytes] = (0, b"")
        self._made = 0
        self._turn = _Turn()
        self._playing = threading.Event()
        self._until = 0
        self._closed = False
        self.problem = ""
        self.is_ending = False
        try:
            if lesson is not None:
                self._begin_lesson(lesson)
            elif source is not None:
                self._take(source)
        except BaseException:
            self._folder.cleanup()
            raise
        self._player = threading.Thread(target=self._play, name="ganglion-studio", daemon=True)
        self._player.start()

    def close(self) -> None:
        """End the player, and remove the uploaded tables."""
        self._closed = True
        self._playing.set()
        self._player.join(timeout=5)
        self._folder.cleanup()

    def do(self, command: Mapping[str, Any]) -> dict[str, Any]:
        """Carry out a command such as {"do": "step", "count": 1}, or answer a question of the current run.

        Raises:
            GanglionError: if it cannot be done; nothing has changed then.
        """
        if not isinstance(command, Mapping):
            raise ConfigError(f"a command must be an object, got {shortened(command)}")
        name = command.get("do")
        if "ask" in command:
            with self._turn.first():
                if command["ask"] == "differences":
                    other = self.run({"run": command.get("other")})
                    found = self.run(command).differences(other)
                    return {"differences": [[name, *pair] for name, pair in found.items()]}
                return answer(self.run(command), self.view, command)
        commands = self._commands()
        if not isinstance(name, str) or name not in commands:
            raise ConfigError(f"there is no command {shortened(name)}")
        if name == "pause" and self.current in self.runs:
            self.runs[self.current].stepper.pause()  # also a command that makes many updates
        with self._turn.first():
            played = self._playing.is_set()
            if name not in ("view", "speed", "look"):
                self._playing.clear()
            try:
                found = commands[name](command) or {}
            except GanglionError:
                if played:
                    self._playing.set()
                raise
            self._show()
            return {**self.state(), **found}

    def _commands(self) -> dict[str, Callable[[Question], dict[str, Any] | None]]:
        return {
            "look": lambda command: None,
            "example": lambda command: self._take(Source.example(command.get("name"), self.folder)),
            "prepare": self._prepare,
            "new": self._new,
            "change": self._change,
            "step": lambda command: self._move(command, 1),
            "back": lambda command: self._move(command, -1),
            "epoch": lambda command: self.run(command).stepper.epoch(),
            "seek": self._seek,
            "play": self._start,
            "pause": lambda command: None,
            "speed": self._set_speed,
            "view": self._look,
            "edit": self._edit,
            "undo": self._undo,
            "choose": self._choose,
            "name": self._name,
            "remove": self._remove,
            "remedy": self._remedy,
            "lesson": lambda command: self._begin_lesson(Lesson.shipped(command.get("name"))),
            "answer": self._answer,
            "next": self._next,
            "leave": self._leave,
            "train": self._train,
        }

    def upload(self, data: bytes, ending: str, label: str) -> dict[str, Any]:
        """Take a table, or a lesson, that was uploaded."""
        with self._turn.first():
            if ending == "json" and Lesson.is_one(data):
                self._begin_lesson(Lesson.read(data))
            else:
                source = Source.uploaded(data, ending, label, self.folder)
                try:
                    self._take(source)
                except GanglionError as error:
                    error.message = error.message.replace(str(source.path), source.name)
                    error.message = error.message.replace(source.path.name, source.name)
                    raise
                finally:
                    if self.data is None or self.data.source is not source:
                        source.path.unlink()
            self._playing.clear()
            self._show()
            return self.state()

    def export(self, command: Mapping[str, Any]) -> tuple[str, bytes]:
        """Return the name and the contents of a file about the current run."""
        with self._turn.first():
            run = self.run(command)
            if command.get("format") == "lesson":
                return f"{exports.stem_of(run)}.json", make_lesson(run, self.view, command)
            return exports.export(run, command.get("format"))

    def state(self) -> dict[str, Any]:
        """Return what the page shows of all runs, as plain data."""
        data = self.data
        run = self.runs.get(self.current)
        return plain(
            {
                "data": None if data is None else data.describe(),
                "catalog": None if data is None else catalog(data.task),
                "examples": {name: example.title for name, example in EXAMPLES.items()},
                "lessons": Lesson.list_shipped(),
                "lesson": None if self.lesson is None else self.lesson.describe(self.run(), self.view),
                "runs": [each.describe() for each in self.runs.values()],
                "current": self.current,
                "settings": None if run is None else run.settings.to_facts(),
                "code": "" if run is None else exports.code(run),
                "view": vars(self.view),
                "playing": self._playing.is_set(),
                "speed": self.speed,
                "problem": self.problem,
                "waiting": "" if self.model is None else self._waiting(self.model),
            }
        )

    def run(self, command: Question | None = None) -> Run:
        """Return the run that a command names, by default the current one.

        Raises:
            ConfigError: if there is none.
        """
        number = self.current if command is None or "run" not in command else command["run"]
        if type(number) is not int or number not in self.runs:
            raise ConfigError(f"there is no run {shortened(number)}", "choose a table first")
        return self.runs[number]

    def _waiting(self, model: TableModel) -> str:
        names = ", ".join(column.column for column in model.encoder.columns)
        return (
            f"{self.model_name} predicts {model.target.column} from {names}. Choose the table that it "
            "learned from, or one like it."
        )

    # What commands do. Each has made sure that it can be done before anything changes.

    def _take(self, source: Source) -> None:
        self._begin(Data(source, like=self.model, model_name=self.model_name))
        self.model = None  # of the next table

    def _begin(self, data: Data, settings: Settings | None = None) -> None:
        run = Run(self._made + 1, data, settings or data.settings, goes_on=True)
        before = None if self.data is None else self.data.source.path
        if before is not None and before.parent == self.folder and before != data.source.path:
            before.unlink(missing_ok=True)  # no other run needs it
        self.data, self.runs, self.lesson = data, {}, None
        columns = data.describe()["surface"]
        self.view = View(columns=(columns[0], columns[1]) if len(columns) > 1 else None)
        self._add(run)

    def _add(self, run: Run) -> None:
        self._made = run.number
        self.runs[run.number] = run
        self.current = run.number

    def _room(self) -> int:
        """Return the number of the next run.

        Raises:
            ConfigError: if there are too many.
        """
        if len(self.runs) >= MOST_RUNS:
            raise ConfigError(f"the studio keeps {MOST_RUNS} runs", "remove some that you no longer need")
        return self._made + 1

    def _prepare(self, command: Question) -> None:
        if self.data is None:
            raise ConfigError("there is no table yet", "choose one first")
        roles, target = command.get("roles"), command.get("target")
        if not isinstance(roles, dict) or not isinstance(target, str):
            raise ConfigError("roles must be given by column, and the target by name")
        self._begin(Data(self.data.source, target, roles, whole(command, "seed", 2**53)))

    def _new(self, command: Question) -> None:
        """Begin a run from the start, with settings."""
        settings = Settings.read(command.get("settings"))
        if self.data is None:
            raise ConfigError("there is no table yet", "choose one first")
        self._add(Run(self._room(), self.data, settings))

    def _change(self, command: Question) -> None:
        """Branch here with other settings; a run from the start if the network is another one."""
        run, settings = self.run(command), Settings.read(command.get("settings"))
        changes = settings.differences(run.settings)
        if not changes:
            return
        note = ", ".join(f"{name} {new}" for name, (new, _) in changes.items())
        self._add(Run(self._room(), run.data, settings, run, note))

    def _move(self, command: Question, sign: int) -> None:
        run, count = self.run(command), whole(command, "count", 10**9)
        if sign > 0:
            run.stepper.step(count)
        else:
            run.stepper.seek(max(run.stepper.first, run.stepper.update - count))

    def _seek(self, command: Question) -> None:
        run = self.run(command)
        run.stepper.seek(whole(command, "update", max(run.stepper.total, run.stepper.reached) + 1))

    def _start(self, command: Question) -> None:
        run = self.run(command)
        if run.stepper.has_ended:
            raise ConfigError(
                f"the run has ended: {run.stepper.ended_because}", "go back, or begin a new run"
            )
        self._until = whole(command, "until", 10**12) if "until" in command else 10**12
        self.current = run.number
        self._playing.set()

    def _set_speed(self, command: Question) -> None:
        speed = check_number("speed", command.get("speed"), at_least=0)
        if speed not in SPEEDS:
            raise ConfigError(f"speed must be one of {', '.join(map(str, SPEEDS))}, got {speed:g}")
        self.speed = speed

    def _look(self, command: Question) -> None:
        """Choose the row, and what the surface shows."""
        if self.data is None:
            raise ConfigError("there is no table yet", "choose one first")
        row, columns = command.get("row", self.view.row), command.get("columns", self.view.columns)
        output, fixed = command.get("output", self.view.output), command.get("fixed_at_row", False)
        check_row(row, self.data.prepared.frame.height)
        if columns is not None:
            known = self.data.describe()["surface"]
            is_pair = isinstance(columns, list | tuple) and len(columns) == 2
            if not is_pair or columns[0] == columns[1] or any(each not in known for each in columns):
                raise ConfigError(f"columns must be two different inputs, got {shortened(columns)}")
            columns = (columns[0], columns[1])
        most = len(self.data.classes or [0])
        if type(output) is not int or not 0 <= output < most or not isinstance(fixed, bool):
            raise ConfigError(f"there is no output {shortened(output)}")
        self.view = View(row, columns, output, fixed)

    def _edit(self, command: Question) -> None:
        """Branch here with a weight set by hand."""
        run = self.run(command)
        parameter, value = command.get("parameter"), check_number("value", command.get("value"))
        edit = Edit(str(parameter), index_of(command), value)
        branch = Run(self._room(), run.data, run.settings, run, edit.words)
        branch.edit(edit)
        self._add(branch)

    def _undo(self, command: Question) -> None:
        """Leave a branch for the run that it came from, where it began."""
        run = self.run(command)
        if run.parent is None or run.parent.number not in self.runs:
            raise ConfigError("there is nothing to undo: this run is no branch")
        if any(each.parent is run for each in self.runs.values()):
            raise ConfigError("other runs branched from this one", "choose the run that you want instead")
        run.parent.stepper.seek(run.origin)
        del self.runs[run.number]
        self.current = run.parent.number

    def _choose(self, command: Question) -> None:
        self.current = self.run(command).number

    def _name(self, command: Question) -> None:
        name = command.get("name")
        if not isinstance(name, str) or not name.strip() or len(name) > 60 or not name.isprintable():
            raise ConfigError(f"a name must be at most 60 printable characters, got {shortened(name)}")
        self.run(command).name = name.strip()

    def _remove(self, command: Question) -> None:
        run = self.run(command)
        if len(self.runs) == 1:
            raise ConfigError("this is the only run", "begin another one first")
        del self.runs[run.number]
        if self.current == run.number:
            self.current = next(reversed(self.runs))

    def _remedy(self, command: Question) -> None:
        """Try the remedy of a finding on a branch."""
        run, name = self.run(command), command.get("name")
        found = remedied(str(name), run.settings)
        if found is None:
            raise ConfigError(
                f"the studio cannot try a remedy of {shortened(name)}", "it is for you to carry out"
            )
        (settings, words), number = found, self._room()
        if "update" not in command and run.stepper.history.ended == "failed":
            run.stepper.seek(run.origin)  # there is nothing to go on from where it failed
        elif "update" in command:
            run.stepper.seek(whole(command, "update", max(run.stepper.total, run.stepper.reached) + 1))
        self._add(Run(number, run.data, settings, run, words))

    def _begin_lesson(self, lesson: Lesson) -> None:
        data = lesson.data(self.folder)
        check_row(lesson.row, data.prepared.frame.height)
        self._begin(data, lesson.settings(data))
        self.lesson = lesson
        self.view = dataclasses.replace(self.view, row=lesson.row)
        self._arrive()

    def _arrive(self) -> None:
        """Go to where the lesson's next question is asked."""
        if self.lesson is not None and self.lesson.question is not None:
            self.lesson.prepare(self)

    def _answer(self, command: Question) -> dict[str, Any]:
        if self.lesson is None:
            raise ConfigError("there is no lesson")
        self.current = min(self.runs)  # the lesson's own run, where the question is asked
        self._arrive()
        return {"judged": self.lesson.judge(self.run(), self.view, command.get("answer"))}

    def _leave(self, command: Question) -> None:
        self.lesson = None

    def _next(self, command: Question) -> None:
        if self.lesson is None:
            raise ConfigError("there is no lesson")
        self.lesson.go_on()
        self._arrive()

    def _train(self, command: Question) -> dict[str, Any]:
        """Train the model that `ganglion train` makes with these settings, and return its report."""
        return exports.train(self.run(command))

    # The player.

    def _play(self) -> None:
        shown = 0.0
        while True:
            self._playing.wait()
            if self._closed:
                return
            begun = time.perf_counter()
            with self._turn.next():
                if not self._playing.is_set() or self._closed:
                    continue
                try:
                    run = self.run()
                    self._play_some(run)
                    self.problem = ""
                except GanglionError as error:
                    self._playing.clear()
                    self.problem = str(error)
                    continue
                if run.stepper.has_ended or run.stepper.update >= self._until:
                    self._playing.clear()
                if time.perf_counter() - shown >= FRAME or not self._playing.is_set():
                    self._show()
                    shown = time.perf_counter()
            if self.speed and self.speed < 1 / SLICE:
                time.sleep(max(0.0, 1 / self.speed - (time.perf_counter() - begun)))

    def _play_some(self, run: Run) -> None:
        """Make the updates of one turn."""
        begun, count, stepper = time.perf_counter(), 1, run.stepper
        most = max(1, round(self.speed * SLICE)) if self.speed else 10**9
        most = min(most, self._until - stepper.update)
        with collect_notices():
            while most > 0 and not stepper.has_ended:
                count = min(count, most)
                stepper.step(count)
                most -= count
                spent = time.perf_counter() - begun
                if spent >= SLICE:
                    break
                count = max(1, min(2 * count, int(count * (SLICE - spent) / max(spent, 1e-6)) or 1))

    def _show(self) -> None:
        """Make the next frame: the page reads the newest, and those before are lost."""
        if self.current in self.runs:
            made = self.run().frame(self.view, self._playing.is_set())
            self.frame = (self.frame[0] + 1, made.tobytes())


class _Turn:
    """A lock that lets whoever asks for it `first` go before the one who takes it again and again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._condition = threading.Condition()
        self._waiting = 0

    @contextmanager
    def first(self) -> Iterator[None]:
        """Take the lock before the player does."""
        with self._condition:
            self._waiting += 1
        try:
            with self._lock:
                yield
        finally:
            with self._condition:
                self._waiting -= 1
                self._condition.notify_all()

    @contextmanager
    def next(self) -> Iterator[None]:
        """Take the lock once nobody else waits."""
        with self._condition:
            self._condition.wait_for(lambda: not self._waiting)
        with self._lock:
            yield
