"""Copies are found, also in another format, quality or size; different pictures are not taken for copies."""

import io

import numpy as np
import pytest
from PIL import Image

import ganglion as gg
from ganglion.images import find_copies
from pictures import encoded, smooth


def digits() -> np.ndarray:
    datasets = pytest.importorskip("sklearn.datasets")
    return np.rint(datasets.load_digits().images * 255 / 16).astype(np.uint8)[..., None]


def photographs(size: int) -> np.ndarray:
    """Pieces of two photographs that do not overlap, without those that show nothing but the sky."""
    datasets = pytest.importorskip("sklearn.datasets")
    pieces = [
        photo[top : top + size, left : left + size]
        for photo in datasets.load_sample_images().images
        for top in range(0, photo.shape[0] - size + 1, size)
        for left in range(0, photo.shape[1] - size + 1, size)
    ]
    return np.stack([piece for piece in pieces if piece.mean(axis=2).std() > 10])


def again(pixels: np.ndarray, form: str, scale: float = 1.0, **settings: int) -> np.ndarray:
    """Return a picture as it comes back from a file of another format or size."""
    height, width, channels = pixels.shape
    image = Image.fromarray(pixels.squeeze(axis=2) if channels == 1 else pixels)
    small = image.resize((round(width * scale), round(height * scale)), Image.Resampling.BICUBIC)
    stored = Image.open(io.BytesIO(encoded(small, form, **settings)))
    back = stored.convert("L" if channels == 1 else "RGB").resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(back).reshape(pixels.shape)


def found(images: np.ndarray, others: np.ndarray) -> float:
    """Return which fraction of the pictures is found again among others."""
    blocks = find_copies(np.concatenate([images, others])).blocks
    return float((blocks[: len(images)] == blocks[len(images) :]).mean())


def test_different_digits_of_one_class_are_no_copies() -> None:
    images = digits()
    copies = find_copies(images)
    distinct = len(np.unique(images.reshape(len(images), -1), axis=0))
    assert copies.equal == len(images) - distinct
    assert copies.similar == 0
    assert len(np.unique(copies.blocks)) == distinct


@pytest.mark.parametrize("size", [32, 64])
def test_pieces_of_photographs_are_no_copies_of_each_other(size: int) -> None:
    copies = find_copies(photographs(size))
    assert copies.equal == copies.similar == 0


@pytest.mark.parametrize(
    ("form", "settings"),
    [("JPEG", {"quality": 95}), ("WEBP", {"quality": 80})],
)
def test_digits_that_were_stored_again(form: str, settings: dict[str, int]) -> None:
    images = digits()[:300]
    assert found(images, np.stack([again(each, form, **settings) for each in images])) > 0.99


@pytest.mark.parametrize(
    ("form", "scale", "settings"),
    [
        ("JPEG", 1, {"quality": 75}),
        ("JPEG", 1, {"quality": 50}),
        ("WEBP", 1, {"quality": 50}),
        ("GIF", 1, {}),
        ("PNG", 0.5, {}),
        ("PNG", 2, {}),
        ("JPEG", 0.75, {"quality": 80}),
    ],
)
def test_photographs_that_were_stored_again(form: str, scale: float, settings: dict[str, int]) -> None:
    images = photographs(128)
    others = np.stack([again(each, form, scale, **settings) for each in images])
    assert found(images, others) == 1
    grey = images.mean(axis=3, keepdims=True).astype(np.uint8)
    others = np.stack([again(each, form, scale, **settings) for each in grey])
    assert found(grey, others) == 1


def test_small_photographs_that_were_stored_again() -> None:
    images = photographs(64)
    assert found(images, np.stack([again(each, "JPEG", quality=75) for each in images])) > 0.9


def test_equal_pictures() -> None:
    images = np.stack([smooth(seed) for seed in (1, 2, 1, 3, 2, 1)])
    copies = find_copies(images)
    assert copies.blocks.tolist() == [0, 1, 0, 2, 1, 0]
    assert (copies.equal, copies.similar) == (3, 0)


def test_a_chain_of_copies_is_one_block() -> None:
    images = photographs(128)[:20]
    once = np.stack([again(each, "JPEG", quality=80) for each in images])
    copies = find_copies(np.concatenate([images, once, once, images]))
    assert len(np.unique(copies.blocks)) == 20
    assert (copies.equal, copies.similar) == (40, 20)


def test_pictures_before_one_background_are_no_copies() -> None:
    """A small thing that moves before a camera that does not."""
    images = np.repeat(smooth(1, 64, 64)[None], 40, axis=0)
    for number, image in enumerate(images):
        image[5 + number : 11 + number, 20:26] = 255
    copies = find_copies(images)
    assert copies.equal == copies.similar == 0


def test_pictures_that_differ_in_color_only_are_no_copies() -> None:
    shapes = np.zeros((30, 32, 32, 3), np.uint8)
    for number in range(10):
        shapes[3 * number : 3 * number + 3, number : number + 12, 4:20] = np.diag([90, 90, 90])[:, None, None]
    assert find_copies(shapes).similar == 0


@pytest.mark.parametrize("shape", [(0, 8, 8, 1), (1, 8, 8, 3), (5, 1, 1, 1), (4, 1, 50, 3), (3, 200, 3, 1)])
def test_few_and_odd_pictures(shape: tuple[int, ...]) -> None:
    assert len(find_copies(np.zeros(shape, np.uint8)).blocks) == shape[0]
    images = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    assert find_copies(images).equal == 0


def test_arrays_that_are_no_pictures() -> None:
    for wrong in (np.zeros((3, 8, 8), np.uint8), np.zeros((3, 8, 8, 1))):
        with pytest.raises(gg.ShapeError, match="uint8"):
            find_copies(wrong)
