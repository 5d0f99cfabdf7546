"""The health check: planted diseases are found, their remedies work, and healthy runs get no finding."""

import json
import re
import warnings
from collections import defaultdict

import numpy as np
import pytest

import ganglion as gg
from ganglion.insight.health import Health, HealthCheck, check_health
from ganglion.insight.health.findings import FINDINGS
from ganglion.insight.health.measure import effective_rank, flat_fractions, measure
from ganglion.insight.health.snippets import value_code
from ganglion.tables.examples import EXAMPLES, example_table
from insight.diseases import DISEASES, HEALTHY, Case, convolutions, data, layers


def health(net, X, y, **settings) -> Health:
    return check_health(
        net.model,
        net._engine,
        X,
        y,
        history=net.history,
        facts=net.facts,
        optimizer_state=net._optimizer_state,
        **settings,
    )


def names(found: Health) -> list[str]:
    return [finding.name for finding in found.findings]


def held_out_loss(net, x, y, *, balanced=False) -> float:
    """Cross entropy for classes, squared error over the targets' variance for numbers."""
    a, y = net.predict(x).astype(float), np.asarray(y)
    if net.architecture.output_activation.name == "softmax":
        losses = -np.log(np.maximum(a[np.arange(len(y)), y.astype(int)], 1e-12))
    else:
        losses = (a.reshape(len(y)) - y) ** 2 / y.var()
    return float(np.average(losses, weights=1 / np.bincount(y)[y] if balanced else None))


@pytest.mark.parametrize("case", DISEASES, ids=lambda case: case.id)
def test_a_planted_disease_is_found_and_its_remedy_works(case: Case):
    """The pasted code must remove the finding and lower the loss on held-out rows.

    Those rows are of the world in which the network is to work: a leak says nothing there yet, a copied
    feature has broken, a constant one has another value. With rare classes each class counts the same.
    """
    net, X, y, X_later, y_later = case.run()
    found = {finding.name: finding for finding in health(net, X, y).findings}
    assert case.finding in found
    balanced = case.finding == "class_imbalance"
    before = held_out_loss(net, X_later, y_later, balanced=balanced)

    pasted = {"gg": gg, "np": np, "net": net, "X": X, "y": y}
    exec(found[case.finding].code, pasted)

    net, X, y = pasted["net"], pasted["X"], pasted["y"]
    assert case.finding not in names(health(net, X, y))
    if "prepare" in pasted:
        X_later = pasted["prepare"](X_later)
    if "relabel" in pasted:
        y_later = pasted["relabel"](y_later)
    assert held_out_loss(net, X_later, y_later, balanced=balanced) < before


@pytest.mark.parametrize("case", HEALTHY, ids=lambda case: case.id)
def test_a_healthy_run_has_no_finding(case: Case):
    check = HealthCheck()
    net, X, y, _, _ = case.run(callbacks=[*case.fit.get("callbacks", []), check])
    assert names(health(net, X, y)) == []
    assert names(check.health) == []


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_table_model_with_its_defaults_has_no_finding(name, seed):
    example, table = example_table(name)
    check = HealthCheck()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gg.GanglionNotice)  # constant pixels are left out
        model = gg.TableModel.train(table, target=example.target, seed=seed, callbacks=[check])
    assert names(check.health) == []
    assert names(health(model.network, *model.encode(table))) == []


def test_every_finding_is_planted_on_three_data_sets_and_twenty_runs_are_healthy():
    on = defaultdict(set)
    for case in DISEASES:
        on[case.finding].add(case.on)
    looked_for = {look.__name__ for look, _ in FINDINGS}
    assert looked_for - set(on) == set()
    assert {finding: len(sets) for finding, sets in on.items() if len(sets) < 3} == {}
    assert len(HEALTHY) >= 20


def test_what_explains_a_finding_is_looked_for_before_it():
    before: list[str] = []
    for look, explained_by in FINDINGS:
        assert set(explained_by) <= set(before), look.__name__
        before.append(look.__name__)


@pytest.mark.parametrize(
    "case",
    [case for case in DISEASES if case.id.endswith(("spiral", "diabetes", "regression-wave"))],
    ids=lambda case: case.id,
)
def test_the_callback_finds_it_too(case: Case):
    check = HealthCheck()
    case.run(callbacks=[*case.fit.get("callbacks", []), check])
    assert case.finding in names(check.health)


def test_findings_do_not_depend_on_the_order_of_rows():
    chance = np.random.default_rng(1)
    for case in (
        c for c in DISEASES if c.finding in {"leaking_target", "duplicate_feature", "unscaled_inputs"}
    ):
        net, X, y, _, _ = case.run()
        order = chance.permutation(len(X))
        assert case.finding in names(health(net, X[order], y[order]))


def test_overfitting_names_the_epoch_in_which_it_began():
    case = next(c for c in DISEASES if c.finding == "overfitting")
    net, X, y, _, _ = case.run()
    finding = next(f for f in health(net, X, y).findings if f.name == "overfitting")
    assert f"epoch {int(np.argmin(net.history.validation_loss)) + 1}." in finding.title


def test_causes_come_with_the_run_that_failed():
    check = HealthCheck()
    found = data("wave")
    net = gg.Network([gg.Dense(8, "relu"), gg.Dense(1)], inputs=3)
    history = net.fit(1e4 * found.x, found.y, optimizer=gg.SGD(1.0), callbacks=[check])
    assert history.ended == "failed"
    assert names(check.health)[:2] == ["unscaled_inputs", "exploding_loss"]


def test_two_columns_of_a_category_are_no_copies():
    chance = np.random.default_rng(0)
    yes = chance.integers(0, 2, 300)
    X = np.column_stack([yes, 1 - yes, chance.normal(size=300)])
    net = gg.Network([gg.Dense(1)], inputs=3)
    assert "duplicate_feature" not in names(health(net, X, chance.normal(size=300)))


def test_one_separable_class_of_three_is_no_leak():
    chance = np.random.default_rng(0)
    y = np.arange(300) % 3
    X = chance.normal(size=(300, 2)) + 20 * (y == 0)[:, None]
    net = gg.Network([gg.Dense(3, "softmax")], inputs=2)
    assert "leaking_target" not in names(health(net, X / X.std(), y))


def test_an_output_without_rows_is_found():
    found = data("iris")
    net = gg.Network([gg.Dense(4, "softmax")], inputs=4)
    net.fit(found.x, found.y + 1, optimizer=gg.Adam(0.05))
    (finding,) = (f for f in health(net, found.x, found.y + 1).findings if f.name == "labels_out_of_line")
    pasted = {"gg": gg, "np": np, "net": net, "X": found.x, "y": found.y + 1}
    exec(finding.code, pasted)
    assert pasted["net"].architecture.outputs == (3,)
    assert "labels_out_of_line" not in names(health(pasted["net"], pasted["X"], pasted["y"]))


# ------------------------------------------------------------------------------ what is measured


@pytest.mark.parametrize(
    "optimizer",
    [
        gg.SGD(0.1),
        gg.SGD(0.1, momentum=0.9),
        gg.Adam(0.01),
        gg.RMSprop(0.01),
        gg.Adam(0.1, clip_norm=0.01),
        gg.AdamW(0.01, weight_decay=0.5),
    ],
    ids=value_code,
)
def test_the_update_ratio_is_that_of_the_next_update(optimizer):
    found = data("iris")
    net = gg.Network([gg.Dense(6, "tanh"), gg.Dense(3, "softmax")], inputs=4)
    settings = {"optimizer": optimizer, "batch_size": len(found.x), "shuffle": False}
    check = HealthCheck(rows=len(found.x))
    net.fit(found.x, found.y, epochs=3, callbacks=[check], **settings)
    ratios = {layer.name: layer.update_ratio for layer in check.health.layers}
    assert ratios == {layer.name: layer.update_ratio for layer in health(net, found.x, found.y).layers}
    before = net.parameters.copy()
    net.fit(found.x, found.y, epochs=1, **settings)
    first = slice(0, 4 * 6 + 6)
    change = np.linalg.norm((net.parameters - before)[first]) / np.linalg.norm(before[first])
    assert ratios["dense_1"] == pytest.approx(change, rel=1e-3)
    assert check.series["dense_1"]["update_ratio"][-1] == pytest.approx(change, rel=1e-3)


def test_gradient_norms_are_those_of_the_gradient():
    found = data("moons")
    net = gg.Network([gg.Dense(6, "tanh"), gg.Dense(2, "softmax")], inputs=2, dtype="float64")
    _, gradient = net.loss_and_gradient(found.x, found.y)
    measured = health(net, found.x, found.y).layers
    sizes = [np.linalg.norm(gradient[:18]), np.linalg.norm(gradient[18:])]
    assert [layer.gradient_norm for layer in measured] == pytest.approx(sizes)
    assert [layer.weight_norm for layer in measured] == pytest.approx(
        [np.linalg.norm(net.parameters[:18]), np.linalg.norm(net.parameters[18:])]
    )
    assert [layer.update_ratio for layer in measured] == [None, None]


def test_distributions_are_those_of_z_and_a():
    net = gg.Network([gg.Dense(2, "relu"), gg.Dense(1)], inputs=1, engine="reference")
    net.parameters = [1, -1, 0, 0, 1, 1, 0]
    first, last = measure(net.model, np.array([[3.0], [1.0]], "f4"))
    assert (first.z.mean, first.z.low, first.z.high) == (0, -3, 3)
    assert (first.a.mean, first.a.low, first.a.high) == (1, 0, 3)
    assert (first.dead, first.hidden, last.dead, last.hidden) == (0.5, True, None, False)
    assert (last.z.mean, last.z.deviation) == (2, 1)


def test_dead_and_saturated_units_by_hand():
    z = np.array([[-9.0, 0.0, 9.0], [9.0, 0.0, 9.0]])
    assert flat_fractions(gg.Tanh(), z, np.tanh(z)) == (None, pytest.approx(2 / 3))
    assert flat_fractions(gg.ReLU(), z, np.maximum(z, 0)) == (pytest.approx(1 / 3), None)
    assert flat_fractions(gg.LeakyReLU(), z, z) == (None, None)
    assert flat_fractions(gg.Softmax(), z, z) == (None, None)


@pytest.mark.parametrize(("width", "rank"), [(1, 1.0), (5, 5.0)])
def test_effective_rank_counts_equal_directions(width, rank):
    rows = np.random.default_rng(0).normal(size=(40, width))
    orthonormal, _ = np.linalg.qr(rows - rows.mean(axis=0))
    assert effective_rank(orthonormal) == pytest.approx(rank, abs=1e-3)


# ------------------------------------------------------------------------------ the faces


def test_a_report_is_complete_and_escaped():
    case = next(c for c in DISEASES if c.finding == "unscaled_inputs")
    net, X, y, _, _ = case.run()
    found = health(net, X, y)
    page, finding = repr(found), found.findings[0]
    assert "dense_1" in page
    for part in ("unscaled_inputs", finding.severity, finding.title, *finding.code.splitlines()):
        assert part in page
    for label in ("evidence:", "cause:", "remedy:"):
        assert label in page
    assert found._repr_html_().startswith("<pre>")
    assert "&#x27;relu&#x27;" in found._repr_html_()


def test_a_healthy_network_is_reported_in_one_line():
    case = HEALTHY[0]
    net, X, y, _, _ = case.run()
    page = repr(health(net, X, y))
    assert page.splitlines()[-1] == f"Nothing looks wrong on {len(X):,} rows."


def test_findings_are_sorted_by_severity():
    case = next(c for c in DISEASES if c.finding == "constant_feature")
    net, X, y, _, _ = case.run(optimizer=gg.SGD(100.0, momentum=0.9))
    found = health(net, X, y).findings
    ranks = [("severe", "warning", "info").index(finding.severity) for finding in found]
    assert len(ranks) >= 2
    assert ranks == sorted(ranks)


def test_health_is_json_also_where_nothing_is_finite():
    net = gg.Network([gg.Dense(8, "relu"), gg.Dense(2, "softmax")], inputs=4)
    net.parameters = 1e38
    found = health(net, data("iris").x, data("iris").y % 2)
    plain = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert plain["layers"][1]["z"]["mean"] is None
    assert {"findings", "layers", "rows", "series"} == set(plain)


def test_the_callback_measures_every_so_many_epochs():
    check = HealthCheck(every=2)
    case = HEALTHY[0]
    case.run(callbacks=[check], epochs=7)
    assert {name: len(series) for name, series in check.series["dense_1"].items()} == {
        "dead": 3,
        "saturated": 3,
        "gradient_norm": 3,
        "update_ratio": 3,
    }
    assert set(check.series) == {"dense_1", "dense_2", "dense_3"}
    assert check.health is check.health
    assert check.health.series == check.series


def test_the_callback_changes_nothing():
    found = data("spiral")

    def trained(callbacks):
        net = gg.Network([gg.Dense(16, "relu"), gg.Dropout(0.2), gg.Dense(3, "softmax")], inputs=2)
        net.fit(found.x, found.y, optimizer=gg.Adam(0.01), epochs=5, callbacks=callbacks)
        return net.parameters

    np.testing.assert_array_equal(trained([HealthCheck()]), trained([]))


def test_health_can_be_read_while_training():
    class Ask(gg.Callback):
        def on_epoch_end(self, training):
            self.findings = names(check.health)

    check, ask = HealthCheck(), Ask()
    case = next(c for c in DISEASES if c.id == "symmetric_weights-zeros-product")
    case.run(callbacks=[check, ask], epochs=2)
    assert ask.findings == ["symmetric_weights"]


def test_a_check_without_a_run_says_so():
    with pytest.raises(gg.TrainingError, match=r"callbacks=\[check\]"):
        _ = HealthCheck().health
    with pytest.raises(gg.ConfigError, match="every"):
        HealthCheck(every=0)
    with pytest.raises(gg.ConfigError, match="rows"):
        HealthCheck(rows=1)


@pytest.mark.parametrize(
    ("X", "y", "settings", "error"),
    [
        ([[np.nan, 0]], [0], {}, gg.DataError),
        ([[1, 2, 3]], [0], {}, gg.ShapeError),
        ([[1, 2]], [5], {}, gg.DataError),
        (np.zeros((0, 2)), [], {}, gg.DataError),
        ([[1, 2]], [0, 1], {}, gg.ShapeError),
        ([[1, 2]], [0], {"validation": 0.2}, gg.ConfigError),
        ([[1, 2]], [0], {"loss": "nonsense"}, gg.ConfigError),
        ([[1, 2]], [0], {"sample_weight": [-1]}, gg.DataError),
    ],
    ids=["nan", "columns", "class", "empty", "lengths", "validation", "loss", "weight"],
)
def test_bad_rows_and_settings_get_a_plain_error(X, y, settings, error):
    net = gg.Network([gg.Dense(2, "softmax")], inputs=2)
    with pytest.raises(error):
        health(net, X, y, **settings)


def test_a_network_with_parts_of_ones_own_is_checked_on_the_reference_engine():
    class Scale(gg.Layer):
        def parameters(self, shape):
            return {"factor": shape}

        def initializers(self):
            return {"factor": gg.Ones()}

        def forward(self, weights, x, context):
            return x * weights.factor, x

        def backward(self, weights, cache, grad_a, context):
            return grad_a * weights.factor, {"factor": (grad_a * cache).sum(axis=0)}

    found = data("moons")
    net = gg.Network([Scale(), *layers((16,), "relu", 2)], inputs=2, engine="reference")
    net.fit(found.x, found.y, optimizer=gg.Adam(1e-6), epochs=20)
    assert names(health(net, found.x, found.y)) == ["learning_rate_too_low"]


def test_a_network_from_a_file_is_checked_with_the_facts_in_the_file(tmp_path):
    case = next(c for c in DISEASES if c.id == "learning_rate_too_low-sgd-blobs")
    net, X, y, _, _ = case.run()
    net.save(tmp_path / "net.safetensors")
    again = gg.Network.load(tmp_path / "net.safetensors")
    assert names(health(again, X, y)) == names(health(net, X, y)) == ["learning_rate_too_low"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_images_and_small_tables_are_checked_too(dtype):
    chance = np.random.default_rng(0)
    y = chance.integers(0, 2, 200)
    X = chance.normal(size=(200, 3, 3)) + y[:, None, None]
    net = gg.Network([gg.Flatten(), *layers((8,), "relu", 2)], inputs=(3, 3), dtype=dtype)
    net.fit(1000 * X, y, epochs=3)
    finding = health(net, 1000 * X, y).findings[0]
    pasted = {"gg": gg, "np": np, "X": 1000 * X, "y": y}
    exec(finding.code, pasted)
    assert "unscaled_inputs" not in names(health(pasted["net"], pasted["X"], y))
    assert pasted["net"].dtype == dtype
    for rows in (1, 2, 5):
        tiny = gg.Network(layers((4,), "relu", 2), inputs=2)
        tiny.fit(np.eye(5)[:rows, :2], [0, 1, 0, 1, 0][:rows], epochs=3)
        assert names(health(tiny, np.eye(5)[:rows, :2], [0, 1, 0, 1, 0][:rows])) == []


@pytest.mark.parametrize(
    "part",
    [
        gg.Dense(16, "relu"),
        gg.Dense(16),
        gg.Dense(16, "tanh", "zeros"),
        gg.Dense(3, gg.ELU(0.5), gg.SmallRandom(0.1)),
        gg.Dropout(0.2),
        gg.BatchNormalization(epsilon=0.1),
        gg.LayerNormalization(),
        gg.Activate("gelu"),
        gg.Flatten(),
        gg.Reshape((2, 2)),
        gg.Adam(),
        gg.Adam(0.01, beta_2=0.99, clip_norm=1.0),
        gg.AdamW(gg.OneCycle(0.01, epochs=20), weight_decay=0.3),
        gg.SGD(0.5, momentum=0.9, nesterov=True),
        gg.LBFGS(history=5),
        gg.Huber(2.0),
        gg.Regularization(l2=0.1),
        gg.EmbeddingBag(10, 4),
        gg.Residual([gg.Dense(8, "relu"), gg.Residual([gg.Dense(8)])]),
        gg.Parallel({"a": [gg.Embedding(10, 4, weight_initializer="zeros")], "b": []}),
        gg.IntegerInput(10),
    ],
    ids=value_code,
)
def test_a_part_written_as_code_is_the_part(part):
    assert eval(value_code(part), {"gg": gg}) == part


def test_rows_that_weigh_nothing_are_not_looked_at() -> None:
    X = np.random.default_rng(0).normal(size=(120, 3))
    weight = np.r_[np.ones(20), np.zeros(100)]
    net = gg.Network([gg.Dense(4, "tanh"), gg.Dense(1)], 3)
    check = HealthCheck()
    net.fit(X, X[:, 0], sample_weight=weight, epochs=5, callbacks=[check])
    assert net.health(X, X[:, 0], sample_weight=weight).rows == 20
    assert check.health.rows == 20


def test_names_stand_in_place_of_numbers() -> None:
    X = np.random.default_rng(0).normal(size=(100, 2)) * [1, 5000]
    net = gg.Network([gg.Dense(1)], 2)
    found = {finding.name: finding for finding in net.health(X, X[:, 0], names=["small", "large"]).findings}
    assert "'large'" in found["unscaled_inputs"].evidence
    for names in (["one"], 5, "ab"):
        with pytest.raises(gg.ShapeError, match="one for each input"):
            net.health(X, X[:, 0], names=names)


def test_rows_that_are_all_equal_are_found() -> None:
    net = gg.Network([gg.Dense(1)], 2)
    found = net.health(np.ones((50, 2)), np.arange(50.0)).findings
    assert "constant_feature" in [finding.name for finding in found]


# ------------------------------------------------- composite layers, and several inputs


def test_remedies_reach_into_composite_layers_and_run() -> None:
    X = np.random.default_rng(0).normal(size=(200, 3))
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    zeros = gg.Dense(3, "relu", weight_initializer="zeros")
    net = gg.Network([gg.Residual([gg.Dense(8, "relu"), zeros]), gg.Dense(1, "sigmoid")], inputs=3)
    found = {finding.name: finding for finding in net.health(X, y).findings}
    assert "residual_1/dense_2/weight" in found["symmetric_weights"].evidence
    cured = _pasted(found["symmetric_weights"].code, net, X, y)
    usual = gg.Residual([gg.Dense(8, "relu"), gg.Dense(3, "relu")])
    assert cured.architecture.layers == (usual, gg.Dense(1, "sigmoid"))
    net = gg.Network([usual, gg.Dense(1, "sigmoid")], inputs=3)
    net.named_parameters()["residual_1/dense_1/bias"][:] = -9
    found = {finding.name: finding for finding in net.health(X, y).findings}
    layers = _pasted(found["dying_relu"].code, net, X, y).architecture.layers
    assert [each.activation for each in layers[0].layers] == [gg.LeakyReLU(0.1)] * 2


def test_unscaled_inputs_are_named_and_scaled_input_by_input() -> None:
    chance = np.random.default_rng(0)
    words = chance.integers(0, 10, 200)
    X = {"words": words, "near": chance.normal(size=(200, 2)), "far": 1000 * chance.normal(size=(200, 2))}
    y = (X["far"][:, 1] > 0).astype(int)
    inputs = {"words": gg.IntegerInput(10), "near": 2, "far": 2}
    branches = {"words": [gg.Embedding(10, 4)], "near": [gg.Dense(4, "tanh")], "far": [gg.Dense(4, "tanh")]}
    net = gg.Network([gg.Parallel(branches), gg.Dense(1, "sigmoid")], inputs=inputs)
    finding = net.health(X, y).findings[0]
    assert finding.name == "unscaled_inputs"
    assert " of input 'far'" in finding.evidence
    known = {"gg": gg, "np": np, "net": net, "X": X, "y": y}
    exec(finding.code, known)
    assert known["net"].architecture.inputs == net.architecture.inputs
    assert known["net"].architecture.layers == net.architecture.layers
    assert np.array_equal(known["X"]["words"], words)
    for name in ("near", "far"):
        np.testing.assert_allclose(known["X"][name].std(axis=0), 1)
    names = [finding.name for finding in known["net"].health(known["X"], y).findings]
    assert "unscaled_inputs" not in names
    branches |= {"far": [gg.BatchNormalization()], "near": [gg.LayerNormalization()]}
    net = gg.Network([gg.Parallel(branches), gg.Dense(1, "sigmoid")], inputs=inputs)
    assert "unscaled_inputs" not in [finding.name for finding in net.health(X, y).findings]


def _pasted(code: str, net: gg.Network, X: np.ndarray, y: np.ndarray) -> gg.Network:
    """Return the network after a remedy was run."""
    known = {"gg": gg, "np": np, "net": net, "X": X, "y": y}
    exec(code, known)
    made: gg.Network = known["net"]
    return made


def test_classes_are_called_by_their_labels():
    chance = np.random.default_rng(0)
    y = chance.choice(3, 2000, p=[0.5, 0.47, 0.03])
    X = np.stack([np.minimum(y, 1) * 3 + chance.normal(size=2000), chance.normal(size=2000)], 1)
    check = HealthCheck(classes=["one", "two", "three"])
    net = gg.Network([gg.Dense(8, "relu"), gg.Dense(3, "softmax")], inputs=2)
    net.fit(X, y, epochs=20, callbacks=[check])
    for found in (net.health(X, y, classes=["one", "two", "three"]), check.health):
        evidence = {finding.name: finding.evidence for finding in found.findings}["class_imbalance"]
        assert "class three, 3" in evidence
    assert "class 2, 3" in str(net.health(X, y))
    with pytest.raises(gg.ShapeError, match="one label for each of 3 classes"):
        net.health(X, y, classes=["one"])


# ------------------------------------------------- convolutions


def planted(finding: str, on: str, how: str = "") -> tuple[gg.Finding, Health, gg.Network]:
    """Return a planted finding, the health that it is from, and the network."""
    case = next(c for c in DISEASES if (c.finding, c.on, c.how) == (finding, on, how))
    net, X, y, _, _ = case.run()
    found = health(net, X, y)
    return next(f for f in found.findings if f.name == finding), found, net


def test_dead_filters_are_called_filters_and_counted() -> None:
    finding, found, _ = planted("dying_relu", "strokes", "filters")
    assert finding.title == "100% of the filters of conv_2d_1 are dead."
    assert "8 of 8 filters of conv_2d_1 have slope 0 at all places of all 300 rows" in finding.evidence
    assert "the filter never recovers" in finding.cause
    assert "dead: units (of images: filters, over all places) whose slope is 0 in every row" in repr(found)


def test_a_filter_is_dead_only_if_it_is_0_at_all_places_of_all_rows() -> None:
    net = gg.Network(
        [gg.Conv2D(3, 1, "relu"), gg.Flatten(), gg.Dense(1)], inputs=(2, 2, 1), engine="reference"
    )
    net.parameters = [1, -1, 1, 0, 0, -5, *[0] * 13]
    x = np.zeros((2, 2, 2, 1), "f4")
    x[1, 1, 0] = 3  # the first filter responds at one place of one row, the others nowhere
    first = measure(net.model, x)[0]
    assert (first.dead, first.count, first.unit, first.units) == (pytest.approx(2 / 3), 3, "filter", 12)


def test_copies_and_filters_that_are_alike_are_named() -> None:
    finding = planted("symmetric_weights", "strokes", "filters")[0]
    assert finding.title == "Filters of a hidden layer are copies of each other."
    assert finding.evidence.startswith("1 different of 8 filters in conv_2d_1/weight")
    finding = planted("similar_filters", "squares")[0]
    assert finding.evidence == "1 different of 16 filters in conv_2d_2, up to sign and scale"


def test_filters_in_groups_are_no_copies() -> None:
    """They see different channels."""
    layers = [gg.DepthwiseConv2D(3, "relu", weight_initializer=gg.Ones()), gg.Flatten(), gg.Dense(1)]
    net = gg.Network(layers, inputs=(5, 5, 4))
    X = np.random.default_rng(0).normal(size=(60, 5, 5, 4))
    assert not {"symmetric_weights", "similar_filters"} & set(names(health(net, X, X[:, 2, 2, 0])))


def test_images_are_scaled_channel_by_channel() -> None:
    chance = np.random.default_rng(0)
    X = chance.integers(0, 256, (100, 4, 4, 3)).astype(float)
    y = (X[:, 1, 1, 2] > 128).astype(int)
    net = gg.Network([gg.Conv2D(4, 3, "relu"), gg.Flatten(), gg.Dense(2, "softmax")], inputs=(4, 4, 3))
    finding = next(f for f in health(net, X, y).findings if f.name == "unscaled_inputs")
    assert finding.title == "The images are unscaled."
    assert finding.evidence.startswith("pixels from 0 to 255: 48 of 48 pixels far from mean 0")
    assert re.search(r"the largest, pixel \(\d, \d, \d\), has mean", finding.evidence)
    known = {"gg": gg, "np": np, "net": net, "X": X, "y": y}
    exec(finding.code, known)
    np.testing.assert_allclose(known["X"].mean(axis=(0, 1, 2)), 0, atol=1e-9)
    np.testing.assert_allclose(known["X"].std(axis=(0, 1, 2)), 1)
    assert "unscaled_inputs" not in names(health(known["net"], known["X"], y))


@pytest.mark.parametrize(("padding", "found"), [("same", True), (1, True), ("valid", False)])
def test_border_effects_need_padding(padding: str | int, found: bool) -> None:
    images, y = data("strokes").x, data("strokes").y
    net = gg.Network(convolutions(2, padding=padding), inputs=(14, 14, 1))
    assert ("border_effects" in names(health(net, 1 - images, y))) == found
    assert "border_effects" not in names(health(net, images, y))


def test_the_shift_at_the_border_is_what_padding_adds() -> None:
    """By hand: a kernel of ones over a white image misses 3 of 9 at an edge, and 5 of 9 in a corner."""
    net = gg.Network([gg.Conv2D(1, 3), gg.Flatten(), gg.Dense(1)], inputs=(4, 4, 1), dtype="float64")
    net.named_parameters()["conv_2d_1/weight"][...] = 1
    X = np.ones((40, 4, 4, 1)) * np.linspace(0.8, 1.2, 40)[:, None, None, None]
    finding = next(f for f in health(net, X, X[:, 0, 0, 0] * 2).findings if f.name == "border_effects")
    expected = np.sqrt((8 * 3**2 + 4 * 5**2) / 12) / (9 * X.std())
    assert f"at the 12 windows that extend beyond the edges, padding of 0 moves z by {expected:.2g} dev" in finding.evidence  # fmt: skip


def test_photographs_from_0_to_1_are_no_finding() -> None:
    chance = np.random.default_rng(0)
    x = chance.normal(size=(200, 12, 12, 3))
    for axis in (1, 2) * 4:  # neighbors are alike, as in photographs
        x = (x + np.roll(x, 1, axis)) / 2
    x = np.clip(0.5 + 0.25 * x / x.std(), 0, 1)
    net = gg.Network(convolutions(2), inputs=(12, 12, 3))
    net.fit(x, (x[:, 4:8, 4:8].mean(axis=(1, 2, 3)) > 0.5).astype(int), epochs=20, optimizer=gg.Adam(0.005))
    assert names(health(net, x, (x[:, 4:8, 4:8].mean(axis=(1, 2, 3)) > 0.5).astype(int))) == []


def test_signals_are_checked_too() -> None:
    chance = np.random.default_rng(0)
    y = np.arange(300) % 2
    X = chance.normal(0, 0.3, (300, 30, 2))
    X[:, 10:20, 0] += np.where(y[:, None], 1, -1) * np.sin(np.arange(10))
    layers = [gg.Conv1D(8, 5, "relu"), gg.Conv1D(8, 3, "relu"), gg.Flatten(), gg.Dense(2, "softmax")]
    net = gg.Network(layers, inputs=(30, 2))
    net.fit(X, y, epochs=20, optimizer=gg.Adam(0.003), validation=0.2, callbacks=[gg.EarlyStopping()])
    assert names(health(net, X, y)) == []
    assert "border_effects" in names(health(net, X + 2, y))


def test_the_rank_of_wide_activations_is_that_of_their_singular_values() -> None:
    rows = np.random.default_rng(0).normal(size=(12, 60)) * np.geomspace(1, 1e-3, 60)
    values = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False)
    p = values / values.sum()
    assert effective_rank(rows) == pytest.approx(np.exp(-(p[p > 0] * np.log(p[p > 0])).sum()), rel=1e-5)


def test_of_large_images_fewer_rows_are_looked_at() -> None:
    net = gg.Network([gg.Conv2D(64, 1), gg.GlobalAveragePool(), gg.Dense(1)], inputs=(64, 64, 1))
    found = health(net, np.random.default_rng(0).normal(size=(200, 64, 64, 1)), np.arange(200.0))
    assert found.rows == 2**25 // (64 * 64 * 1 + 64 * 64 * 64 + 64 + 1)
