"""The command that writes a model to a file that other programs run."""

from __future__ import annotations

from pathlib import Path

from ganglion.cli import images
from ganglion.cli.console import Flag, command, say
from ganglion.cli.image_options import check_apart
from ganglion.files.exports import Exportable
from ganglion.files.model_file import read_model
from ganglion.network import Network
from ganglion.table_model import JointTableModel, TableModel


@command
def export(model: Path, out: Path, /, *, int8: Flag = False) -> None:
    """Write a model to a file that other programs run; the ending is the format.

    Parameters
    ----------
    model
        A model file written by train or Network.save.
    out
        The file to write: .c or .h for plain C99, .html for a page that works by itself, .onnx for ONNX, .py
        for Python that needs NumPy alone, .sql for a query, of a small network;
        .npz and .safetensors for the numbers of the network alone.
    int8
        Write each weight in a byte, in C.
    """
    check_apart(out, model)
    file = read_model(model)
    loaded: Exportable = (
        images.read(file)
        or JointTableModel.from_saved(file)
        or TableModel.from_saved(file)
        or Network.from_saved(file)
    )
    notes = loaded.export(out, int8=int8)
    say(f"{out} written")
    for note in notes:
        say(note)
