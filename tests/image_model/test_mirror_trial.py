"""The choice of augmentation is made on smaller copies of large pictures."""

import numpy as np

from ganglion.answers.target import ClassTarget
from ganglion.image_model.augmenting import ENOUGH, choose_augmentation, reduced


def test_large_pictures_are_averaged_and_small_ones_kept() -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 2 * ENOUGH + 1, 3 * ENOUGH, 3)).astype(np.uint8)
    small = reduced(images, np.array([2, 0]))
    assert small.shape == (2, ENOUGH, 3 * ENOUGH // 2, 3)
    assert small[0, 4, 5, 1] == round(images[2, 8:10, 10:12, 1].mean())
    kept = reduced(images[:, : 2 * ENOUGH - 1], np.array([1]))
    np.testing.assert_array_equal(kept[0], images[1, : 2 * ENOUGH - 1])


def test_large_pictures_are_mirrored_unless_their_side_is_their_class() -> None:
    side, y, rows = 2 * ENOUGH, np.arange(120) % 2.0, np.arange(120)
    target = ClassTarget("side", ("first", "second"), "text", (0.5, 0.5))
    plain = np.random.default_rng(0).integers(0, 60, (120, side, side, 1)).astype(np.uint8)
    above, left = plain.copy(), plain.copy()
    above[y == 0, : side // 2] += 150
    above[y == 1, side // 2 :] += 150
    left[y == 0, :, : side // 2] += 150
    left[y == 1, :, side // 2 :] += 150
    found = [choose_augmentation(images, y[:, None], [target], rows, "good", 0) for images in (above, left)]
    assert [each.flip for each in found if each] == ["horizontal", "none"]
