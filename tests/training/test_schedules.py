import math

import pytest

import ganglion as gg
from contracts import test_part_goes_through_its_configuration as check_configuration


class Case:
    def __init__(self, part: gg.Schedule, rates: dict[float, float]) -> None:
        self.part, self.rates = part, rates


CASES = [
    Case(gg.ConstantRate(0.1), {0: 0.1, 99: 0.1}),
    Case(gg.StepDecay(0.1, every=10, factor=0.5), {0: 0.1, 9.99: 0.1, 10: 0.05, 25: 0.025}),
    Case(gg.ExponentialDecay(0.1, factor=0.5), {0: 0.1, 1: 0.05, 0.5: 0.1 * math.sqrt(0.5)}),
    Case(gg.InverseScaling(0.1), {0: 0.1, 3: 0.05}),
    Case(gg.CosineDecay(0.1, epochs=10), {0: 0.1, 5: 0.05, 10: 0, 50: 0}),
    Case(gg.CosineDecay(0.1, epochs=10, warmup=4, final=0.1), {0: 1e-4, 2: 0.05, 4: 0.1, 9: 0.055, 14: 0.01}),
    Case(
        gg.CosineDecay(0.1, epochs=10, cycles=2, stretch=2),
        {0: 0.1, 5: 0.05, 9.9999: 0, 10: 0.1, 20: 0.05, 30: 0, 40: 0},
    ),
    Case(gg.OneCycle(0.1, epochs=10), {0: 0.004, 1.5: 0.052, 3: 0.1, 6.5: 0.05, 10: 4e-7, 20: 4e-7}),
    Case(gg.ReduceOnPlateau(0.1), {0: 0.1}),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.part.name)
def test_rates_worked_by_hand(case: Case) -> None:
    for epoch, rate in case.rates.items():
        assert case.part.rate(epoch, case.part.start()) == pytest.approx(rate, rel=1e-4, abs=1e-7)
    check_configuration(case)


def test_the_list_is_complete() -> None:
    assert {case.part.name for case in CASES} == set(gg.Schedule.known)


def test_a_plateau_reduces_the_rate() -> None:
    schedule = gg.ReduceOnPlateau(0.1, factor=0.5, patience=2, minimum=0.03)
    state, rates = schedule.start(), []
    for loss in [1.0, 0.9, 0.9, 0.9, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8]:
        state = schedule.observe(state, loss)
        rates.append(schedule.rate(0, state))
    assert rates == pytest.approx([0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.03, 0.03, 0.03, 0.03, 0.03])


def test_a_number_is_a_constant_rate() -> None:
    assert gg.Adam(0.5).learning_rate == gg.ConstantRate(0.5)
    assert gg.Adam().learning_rate == gg.ConstantRate(0.001)
    with pytest.raises(gg.ConfigError, match="schedule"):
        gg.Adam(True)  # type: ignore[arg-type]


@pytest.mark.peers
def test_one_cycle_equals_pytorch() -> None:
    import torch

    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    steps = 100
    theirs = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=steps + 1, cycle_momentum=False)
    mine = gg.OneCycle(0.1, epochs=steps, rise=(0.3 * (steps + 1) - 1) / steps)
    for step in range(steps):
        assert mine.rate(step, ()) == pytest.approx(theirs.get_last_lr()[0], rel=1e-9)
        optimizer.step()
        theirs.step()
