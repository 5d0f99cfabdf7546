import numpy as np
import pytest

from ganglion.core.random import Purpose, generator, mix, order, random_integers


def test_the_same_arguments_give_the_same_numbers() -> None:
    first, again = (generator(3, Purpose.SPLIT, 5).random(4) for _ in range(2))
    assert (first == again).all()
    others = [generator(4, Purpose.SPLIT, 5), generator(3, Purpose.MASK, 5), generator(3, Purpose.SPLIT, 6)]
    assert all((first != other.random(4)).any() for other in others)


def test_an_order_is_a_permutation_of_its_own_for_each_epoch() -> None:
    orders = [order(0, epoch, 50) for epoch in range(3)]
    assert all(sorted(o) == list(range(50)) for o in orders)
    assert (orders[0] != orders[1]).any()
    assert (orders[0] == order(0, 0, 50)).all()


def test_mix_equals_splitmix64() -> None:
    # The first outputs of splitmix64 from state 0, from its authors' reference code.
    assert mix(0) == 0xE220A8397B1DCDAF
    assert mix(0x9E3779B97F4A7C15) == 0x6E789E6AA1B965F4


def test_bits_for_masks_are_evenly_spread_and_independent() -> None:
    bits = random_integers(seed=1, layer=2, step=3, shape=(400, 500))
    assert bits.dtype == np.uint32
    fraction = bits / 2**32
    assert fraction.mean() == pytest.approx(0.5, abs=0.003)
    assert np.corrcoef(fraction[:-1].ravel(), fraction[1:].ravel())[0, 1] == pytest.approx(0, abs=0.01)
    assert len(np.unique(bits)) > 0.999 * bits.size
    for other in (random_integers(1, 2, 4, (400, 500)), random_integers(1, 3, 3, (400, 500))):
        assert abs(np.corrcoef(fraction.ravel(), other.ravel())[0, 1]) < 0.01


def test_bits_are_fixed_for_ever() -> None:
    """Masks must be the same in every engine and version: these values must never change."""
    assert random_integers(0, 0, 0, (3,)).tolist() == [3713402303, 2782628232, 739050446]
