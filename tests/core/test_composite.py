"""Residual layers whose shape changes: what projects their input."""

import numpy as np
import pytest

import ganglion as gg


def steps_of(net: gg.Network) -> list[str]:
    return [step.name for step in net.architecture.steps]


def test_rows_of_numbers_are_projected_by_a_dense_layer() -> None:
    net = gg.Network([gg.Residual([gg.Dense(3)])], inputs=5)
    assert steps_of(net) == ["residual_1/dense_1", "residual_1/projection", "residual_1"]
    assert net.architecture.steps[1].kind == "dense"


@pytest.mark.parametrize(("shape", "stride"), [((8, 6, 2), 2), ((7, 5, 2), 2), ((8, 6, 4), (2, 3))])
def test_images_are_projected_by_a_convolution_with_the_stride_of_the_layers(shape, stride) -> None:  # type: ignore[no-untyped-def]
    net = gg.Network([gg.Residual([gg.Conv2D(4, stride=stride)])], inputs=shape)
    projection = net.architecture.steps[1]
    assert projection.layer == gg.Conv2D(4, 1, stride=stride, bias=False)
    assert projection.shape == net.architecture.outputs


def test_a_projection_computed_by_hand() -> None:
    f = gg.Conv2D(1, 1, stride=2, weight_initializer="zeros")
    for engine in ("reference", "native"):
        net = gg.Network([gg.Residual([f])], inputs=(3, 3, 1), engine=engine)
        net.named_parameters()["residual_1/projection/weight"][...] = 10
        found = net.predict(np.arange(9.0).reshape(1, 3, 3, 1))
        assert found[0, :, :, 0].tolist() == [[0, 20], [60, 80]]


def test_signals_are_projected_too() -> None:
    net = gg.Network([gg.Residual([gg.Conv1D(4, stride=3)])], inputs=(10, 2))
    assert net.architecture.steps[1].layer == gg.Conv1D(4, 1, stride=3, bias=False)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (gg.Flatten(), (4, 4, 2)),
        (gg.GlobalAveragePool(), (4, 4, 2)),
        (gg.Upsample2D(), (4, 4, 2)),
        (gg.Conv2D(2, 2, padding="valid"), (5, 5, 2)),
    ],
)
def test_a_shape_that_no_stride_leads_to_is_refused(layer: gg.Layer, shape: tuple[int, ...]) -> None:
    with pytest.raises(gg.ShapeError, match="a residual layer adds its input, of shape"):
        gg.Network([gg.Residual([layer])], inputs=shape)
