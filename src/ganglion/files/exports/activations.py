"""How the activations are written. To add one: add an entry to the list at the end.

In C and JavaScript an activation is a function of one number, or of a row of them in place. In SQL and ONNX
it is made of what these offer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ganglion.core.activations import SELU, Activation, Sections
from ganglion.core.activations.sections import section_slices
from ganglion.core.part import Shape
from ganglion.errors import ConfigError
from ganglion.files.exports.writing import literal


@dataclass(frozen=True)
class Written:
    """How one activation is written.

    Args:
        c: a(z), an expression in C that is also JavaScript; of a row-wise activation, its whole function.
        python: a(z) in NumPy.
        sql: a(z), in which {z} stands for the number; "" if there is none.
        onnx: the name of the operator, or a function that adds the nodes to a graph.
        settings: the names of the activation's settings, which stand as {name} in the texts.
        whole_row: whether each output depends on all numbers of a row.
    """

    c: str
    python: str
    sql: str
    onnx: str | Callable[[Any, str, Mapping[str, float]], str]
    settings: tuple[str, ...] = ()
    whole_row: bool = False


EACH = """
static void activate_{name}(float *a, int rows, int width, int first, int last) {{
    for (int i = 0; i < rows; i++) {{
        for (int j = first; j < last; j++) {{
            const float z = a[i * width + j];
            a[i * width + j] = {c};
        }}
    }}
}}
"""
SOFTMAX = """
static void activate_softmax(float *a, int rows, int width, int first, int last) {
    for (int i = 0; i < rows; i++) {
        float largest = a[i * width + first];
        float sum = 0.0f;
        for (int j = first; j < last; j++) {
            largest = fmaxf(largest, a[i * width + j]);
        }
        for (int j = first; j < last; j++) {
            a[i * width + j] = expf(a[i * width + j] - largest);
            sum += a[i * width + j];
        }
        for (int j = first; j < last; j++) {
            a[i * width + j] /= sum;
        }
    }
}
"""
LOG_SOFTMAX = """
static void activate_log_softmax(float *a, int rows, int width, int first, int last) {
    for (int i = 0; i < rows; i++) {
        float largest = a[i * width + first];
        float sum = 0.0f;
        for (int j = first; j < last; j++) {
            largest = fmaxf(largest, a[i * width + j]);
        }
        for (int j = first; j < last; j++) {
            sum += expf(a[i * width + j] - largest);
        }
        for (int j = first; j < last; j++) {
            a[i * width + j] -= largest + logf(sum);
        }
    }
}
"""
SOFTMAX_IN_PYTHON = """
    powers = np.exp(z - z.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)
"""
LOG_SOFTMAX_IN_PYTHON = """
    below = z - z.max(axis=-1, keepdims=True)
    return below - np.log(np.exp(below).sum(axis=-1, keepdims=True))
"""


def _leaky(graph: Any, z: str, settings: Mapping[str, float]) -> str:
    return graph.add("LeakyRelu", z, alpha=settings["slope"])


def _elu(graph: Any, z: str, settings: Mapping[str, float]) -> str:
    return graph.add("Elu", z, alpha=settings["alpha"])


def _selu(graph: Any, z: str, settings: Mapping[str, float]) -> str:
    return graph.add("Selu", z, alpha=SELU.alpha, gamma=SELU.scale)


def _gelu(graph: Any, z: str, settings: Mapping[str, float]) -> str:
    """Add z * (1 + erf(z / sqrt(2))) / 2."""
    error = graph.add("Erf", graph.add("Mul", z, graph.constant(np.float32(0.5**0.5))))
    half = graph.add(
        "Mul", graph.add("Add", error, graph.constant(np.float32(1))), graph.constant(np.float32(0.5))
    )
    return graph.add("Mul", z, half)


def _gelu_tanh(graph: Any, z: str, settings: Mapping[str, float]) -> str:
    """Add z * sigmoid(2 u), with u = sqrt(2 / pi) * (z + 0.044715 * z**3)."""
    square = graph.add("Mul", graph.add("Mul", z, z), graph.constant(np.float32(0.044715)))
    inner = graph.add("Mul", z, graph.add("Add", square, graph.constant(np.float32(1))))
    scaled = graph.add("Mul", inner, graph.constant(np.float32(2 * (2 / np.pi) ** 0.5)))
    return graph.add("Mul", z, graph.add("Sigmoid", scaled))


def _silu(graph: Any, z: str, settings: Mapping[str, float]) -> str:
    return graph.add("Mul", z, graph.add("Sigmoid", z))


def _mish(graph: Any, z: str, settings: Mapping[str, float]) -> str:
    return graph.add("Mul", z, graph.add("Tanh", _softplus(graph, z, settings)))


def _softplus(graph: Any, z: str, settings: Mapping[str, float]) -> str:
    """Add max(z, 0) + log(1 + exp(-|z|)), which does not overflow."""
    small = graph.add("Exp", graph.add("Neg", graph.add("Abs", z)))
    log = graph.add("Log", graph.add("Add", small, graph.constant(np.float32(1))))
    return graph.add("Add", graph.add("Relu", z), log)


def _hard_sigmoid(graph: Any, z: str, settings: Mapping[str, float]) -> str:
    return graph.add("HardSigmoid", z, alpha=1 / 6, beta=0.5)


EXP = "EXP(CASE WHEN {z} < -700 THEN -700 WHEN {z} > 700 THEN 700 ELSE {z} END)"
SIGMOID = "1.0 / (1.0 + EXP(CASE WHEN {z} < -700 THEN 700 WHEN {z} > 700 THEN -700 ELSE -({z}) END))"
SOFTPLUS = "CASE WHEN {z} > 30 THEN {z} ELSE LN(1.0 + EXP(CASE WHEN {z} < -700 THEN -700 ELSE {z} END)) END"
TANH = "2.0 / (1.0 + EXP(CASE WHEN {z} > 300 THEN -600 WHEN {z} < -300 THEN 600 ELSE -2.0 * ({z}) END)) - 1.0"
EXPONENTIAL = (
    "CASE WHEN {z} > 0 THEN {z} ELSE {alpha} * (EXP(CASE WHEN {z} < -700 THEN -700 ELSE {z} END) - 1.0) END"
)

WRITTEN: Mapping[str, Written] = {
    "sigmoid": Written("1.0f / (1.0f + expf(-z))", "1 / (1 + np.exp(-z))", SIGMOID, "Sigmoid"),
    "tanh": Written("tanhf(z)", "np.tanh(z)", TANH, "Tanh"),
    "relu": Written("fmaxf(z, 0.0f)", "np.maximum(z, 0)", "CASE WHEN {z} > 0 THEN {z} ELSE 0.0 END", "Relu"),
    "leaky_relu": Written(
        "z > 0.0f ? z : {slope}f * z",
        "np.where(z > 0, z, {slope} * z)",
        "CASE WHEN {z} > 0 THEN {z} ELSE {slope} * ({z}) END",
        _leaky,
        ("slope",),
    ),
    "elu": Written(
        "z > 0.0f ? z : {alpha}f * expm1f(z)",
        "np.where(z > 0, z, {alpha} * np.expm1(np.minimum(z, 0)))",
        EXPONENTIAL,
        _elu,
        ("alpha",),
    ),
    "selu": Written(
        "1.0507009873554805f * (z > 0.0f ? z : 1.6732632423543772f * expm1f(z))",
        "1.0507009873554805 * np.where(z > 0, z, 1.6732632423543772 * np.expm1(np.minimum(z, 0)))",
        f"1.0507009873554805 * ({EXPONENTIAL.replace('{alpha}', '1.6732632423543772')})",
        _selu,
    ),
    "gelu": Written(
        "0.5f * fmaxf(z, -40.0f) * erfcf(-0.70710678f * z)",
        "0.5 * z * np.vectorize(math.erfc, otypes=[z.dtype])(-(0.5**0.5) * z)",
        "",
        _gelu,
    ),
    "gelu_tanh": Written(
        "fmaxf(z, -40.0f) / (1.0f + expf(-1.5957691f * (z + 0.044715f * z * z * z)))",
        "z / (1 + np.exp(-2 * (2 / np.pi) ** 0.5 * (z + 0.044715 * z**3)))",
        "({z}) * ("
        + SIGMOID.replace("{z}", "(1.5957691216057308 * (({z}) + 0.044715 * ({z}) * ({z}) * ({z})))")
        + ")",
        _gelu_tanh,
    ),
    "silu": Written(
        "fmaxf(z, -80.0f) / (1.0f + expf(-z))", "z / (1 + np.exp(-z))", "({z}) * (" + SIGMOID + ")", _silu
    ),
    "mish": Written(
        "fmaxf(z, -80.0f) * tanhf(fmaxf(z, 0.0f) + log1pf(expf(-fabsf(z))))",
        "z * np.tanh(np.logaddexp(z, 0))",
        "({z}) * (" + TANH.replace("{z}", f"({SOFTPLUS})") + ")",
        _mish,
    ),
    "softplus": Written(
        "fmaxf(z, 0.0f) + log1pf(expf(-fabsf(z)))", "np.logaddexp(z, 0)", SOFTPLUS, _softplus
    ),
    "hard_sigmoid": Written(
        "fminf(fmaxf(z / 6.0f + 0.5f, 0.0f), 1.0f)",
        "np.clip(z / 6 + 0.5, 0, 1)",
        "CASE WHEN {z} <= -3 THEN 0.0 WHEN {z} >= 3 THEN 1.0 ELSE ({z}) / 6.0 + 0.5 END",
        _hard_sigmoid,
    ),
    "exp": Written("expf(z)", "np.exp(z)", EXP, "Exp"),
    "softmax": Written(SOFTMAX, SOFTMAX_IN_PYTHON, "", "Softmax", (), True),
    "log_softmax": Written(LOG_SOFTMAX, LOG_SOFTMAX_IN_PYTHON, "", "LogSoftmax", (), True),
}


def parts_of(activation: Activation | None, width: int) -> list[tuple[Activation, int, int]]:
    """Return the activations that act on parts of the last axis, each with its first place and its end."""
    if isinstance(activation, Sections):
        slices = section_slices(activation.sizes, width)
        found = [(f, own.start, own.stop) for f, own in zip(activation.activations, slices, strict=True)]
    else:
        found = [] if activation is None else [(activation, 0, width)]
    return [part for part in found if part[0].name != "identity"]


def written(activation: Activation) -> Written:
    """Return how an activation is written.

    Raises:
        ConfigError: for one that is not ganglion's own.
    """
    if not activation.is_built_in or activation.name not in WRITTEN:
        raise ConfigError(
            f"the activation {activation.name} cannot be exported: it is one of your own",
            "use a built-in activation",
        )
    return WRITTEN[activation.name]


def name_of(activation: Activation) -> str:
    """Return the name of its function: with other settings, it is another function."""
    settings = [activation.settings()[name] for name in written(activation).settings]
    digits = ["".join(c if c.isalnum() else "_" for c in literal(value)) for value in settings]
    return "_".join([activation.name, *digits])


def filled(text: str, activation: Activation) -> str:
    """Return a text with the settings of an activation."""
    for name in written(activation).settings:
        text = text.replace(f"{{{name}}}", literal(activation.settings()[name]))
    return text


def kernel(activation: Activation) -> str:
    """Return the function of an activation in C."""
    how = written(activation)
    return how.c if how.whole_row else EACH.format(name=name_of(activation), c=filled(how.c, activation))


def calls(activation: Activation | None, shape: Shape, z: str) -> list[str]:
    """Return the calls that make activations of the pre-activations z, in place."""
    width = shape[-1] if shape else 1
    rows = int(np.prod(shape[:-1], dtype=np.int64))
    return [
        f"activate_{name_of(part)}({z}, {rows}, {width}, {first}, {last});"
        for part, first, last in parts_of(activation, width)
    ]


def helper(activation: Activation) -> str:
    """Return the function of an activation in Python."""
    how, name = written(activation), name_of(activation)
    body = how.python if how.whole_row else f"\n    return {filled(how.python, activation)}\n"
    return f'\ndef {name}(z):\n    """Return {activation.formula}."""{body}'


def expression(activation: Activation | None, width: int, z: str) -> str:
    """Return the activations of z in NumPy."""
    parts = parts_of(activation, width)
    if not parts:
        return z
    if (parts[0][1], parts[0][2]) == (0, width):
        return f"{name_of(parts[0][0])}({z})"
    return f"sections({z}, {{{', '.join(f'({first}, {last}): {name_of(f)}' for f, first, last in parts)}}})"


SECTIONS = '''
def sections(z, parts):
    """Return z with a function applied to each part of the last axis."""
    for (first, last), function in parts.items():
        z[..., first:last] = function(z[..., first:last])
    return z
'''


def nodes(activation: Activation | None, width: int, graph: Any, z: str) -> str:
    """Add the activations of z to a graph of ONNX."""
    parts = parts_of(activation, width)
    if not parts:
        return z
    found, place = [], 0
    for part, first, last in [*parts, (None, width, width)]:
        if place < first:
            found.append(_slice(graph, z, place, first))
        if part is None:
            break
        own = z if (first, last) == (0, width) else _slice(graph, z, first, last)
        how = written(part)
        if isinstance(how.onnx, str):
            found.append(graph.add(how.onnx, own, **({"axis": -1} if how.whole_row else {})))
        else:
            found.append(how.onnx(graph, own, part.settings()))
        place = last
    return found[0] if len(found) == 1 else graph.add("Concat", *found, axis=-1)


def _slice(graph: Any, z: str, first: int, last: int) -> str:
    return graph.add("Slice", z, graph.whole([first]), graph.whole([last]), graph.whole([-1]))


def terms(activation: Activation | None, z: list[str]) -> list[str]:
    """Return the activations of numbers in SQL.

    Raises:
        ConfigError: for one that SQL cannot compute.
    """
    found = list(z)
    for part, first, last in parts_of(activation, len(z)):
        how = written(part)
        if not how.sql and not how.whole_row:
            raise ConfigError(
                f"{part.name} cannot be written in SQL", "use silu, or export to another format"
            )
        if how.sql:
            found[first:last] = [filled(how.sql, part).replace("{z}", each) for each in found[first:last]]
    return found
