"""One picture: all formats and modes, upright, fitted; and whatever is damaged has a reason, never a crash."""

import random
import struct
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image

import ganglion as gg
from ganglion.images.decoding import Fitting, decode, picture_format, quiet, read_header
from ganglion.images.places import UnreadableError
from pictures import FORMATS, encoded, smooth

COLOR, GREY = Fitting(24, 32, 3), Fitting(24, 32, 1)


def reason(data: bytes, fitting: Fitting = COLOR) -> str:
    with pytest.raises(UnreadableError) as error, quiet():
        decode(data, fitting)
    return str(error.value)


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_is_read(form: str) -> None:
    pixels = smooth(1)
    data = encoded(pixels, form, **({"quality": 95} if form in ("JPEG", "WEBP") else {}))
    assert picture_format(data) == form
    found = decode(data, COLOR)
    assert found.size == (24, 32)
    assert not found.changes
    lossless = form in ("PNG", "BMP", "TIFF")
    error = np.abs(found.pixels.astype(int) - pixels)
    assert error.max() == 0 if lossless else error.mean() < 8
    header = read_header(data)
    assert (header.height, header.width, header.is_grey) == (24, 32, False)


def test_a_grey_picture_in_any_mode() -> None:
    pixels = smooth(2, channels=1)
    image = Image.fromarray(pixels[..., 0])
    for data in (encoded(pixels), encoded(image.convert("P")), encoded(image.convert("LA"))):
        assert read_header(data).is_grey
        assert (decode(data, GREY).pixels == pixels).all()
        assert (decode(data, COLOR).pixels == np.repeat(pixels, 3, axis=2)).all()
        assert not decode(data, GREY).changes
    black_and_white = Image.fromarray(pixels[..., 0] > 128)
    assert (decode(encoded(black_and_white), GREY).pixels[..., 0] == 255 * (pixels[..., 0] > 128)).all()


def test_colors_turned_grey_are_told_unless_there_were_none() -> None:
    assert decode(encoded(smooth(1)), GREY).changes == ("grey",)
    assert not decode(encoded(np.repeat(smooth(1, channels=1), 3, axis=2)), GREY).changes


def test_a_palette() -> None:
    pixels = np.zeros((24, 32, 3), np.uint8)
    pixels[:12] = (200, 10, 30)
    image = Image.fromarray(pixels).convert("P", palette=Image.Palette.ADAPTIVE, colors=2)
    assert image.mode == "P"
    assert (decode(encoded(image), COLOR).pixels == pixels).all()
    assert not read_header(encoded(image)).is_grey


def test_transparency_is_laid_over_white() -> None:
    pixels = np.zeros((24, 32, 4), np.uint8)
    pixels[:, :16, 3] = 255
    pixels[:, 16:24, 3] = 51
    found = decode(encoded(pixels), COLOR)
    assert found.changes == ("alpha",)
    assert (found.pixels[:, :16] == 0).all()
    assert (found.pixels[:, 16:24] == 204).all()
    assert (found.pixels[:, 24:] == 255).all()
    pixels[..., 3] = 255
    assert not decode(encoded(pixels), COLOR).changes
    palette = Image.fromarray(np.zeros((24, 32), np.uint8)).convert("P")
    assert (decode(encoded(palette, transparency=0), COLOR).pixels == 255).all()
    assert (decode(encoded(palette, "GIF", transparency=0), COLOR).pixels == 255).all()


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_sixteen_bits_are_reduced_to_eight(form: str) -> None:
    wide = np.full((24, 32), 257 * 77, np.uint16)
    wide[0, 0], wide[0, 1] = 65535, 0
    found = decode(encoded(Image.fromarray(wide), form), GREY)
    assert found.changes == ("bits",)
    assert found.pixels[0, 0, 0] == 255
    assert found.pixels[0, 1, 0] == 0
    assert (found.pixels[1:] == 77).all()


def test_cmyk() -> None:
    red = Image.new("CMYK", (32, 24), (0, 255, 255, 0))
    for form in ("JPEG", "TIFF"):
        pixels = decode(encoded(red, form), COLOR).pixels.reshape(-1, 3).mean(axis=0)
        assert pixels == pytest.approx([255, 0, 0], abs=6)


def test_pixels_that_have_no_meaning_as_bytes() -> None:
    assert "fractions" in reason(encoded(Image.new("F", (32, 24), 0.5), "TIFF"))
    assert "65535" in reason(encoded(Image.new("I", (32, 24), 100_000), "TIFF"))


def test_the_first_frame_of_a_moving_picture() -> None:
    frames = [Image.new("RGB", (32, 24), color) for color in ("red", "blue")]
    for form in ("GIF", "WEBP", "PNG", "TIFF"):
        data = encoded(frames[0], form, save_all=True, append_images=frames[1:])
        assert decode(data, COLOR).pixels.reshape(-1, 3).mean(axis=0) == pytest.approx([255, 0, 0], abs=8)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_camera_was_held_differently(form: str, orientation: int) -> None:
    """Whatever the orientation says must be done to the stored pixels gives the upright picture."""
    upright = np.zeros((24, 32, 3), np.uint8)
    upright[:12, :16] = 255  # top left
    turns = Image.Transpose
    back = {
        2: turns.FLIP_LEFT_RIGHT, 3: turns.ROTATE_180, 4: turns.FLIP_TOP_BOTTOM, 5: turns.TRANSPOSE,
        6: turns.ROTATE_90, 7: turns.TRANSVERSE, 8: turns.ROTATE_270,
    }  # fmt: skip
    stored = Image.fromarray(upright)
    if orientation in back:
        stored = stored.transpose(back[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(stored, form, exif=exif, **({} if form in ("PNG", "TIFF") else {"quality": 95}))
    found = decode(data, COLOR)
    assert found.size == (24, 32)
    assert np.abs(found.pixels.astype(int) - upright).mean() < 4
    header = read_header(data)
    assert (header.height, header.width) == (24, 32)


def test_crop_covers_and_pad_fits_in() -> None:
    wide = np.zeros((10, 40, 3), np.uint8)
    wide[:, 15:25] = 200
    cropped = decode(encoded(wide), Fitting(10, 10, 3, "crop"))
    assert cropped.size == (10, 40)
    assert (cropped.pixels == 200).all()
    padded = decode(encoded(wide), Fitting(20, 20, 3, "pad")).pixels
    assert (padded[:7] == 0).all()
    assert (padded[13:] == 0).all()
    assert (padded[8:12, 9:11] == 200).all()


@pytest.mark.parametrize("fit", ["crop", "pad"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 50_000), (50_000, 1), (3, 7)])
def test_every_shape_is_fitted(fit: str, shape: tuple[int, int]) -> None:
    data = encoded(np.full((*shape, 1), 255, np.uint8))
    found = decode(data, Fitting(5, 9, 1, fit)).pixels
    assert found.shape == (5, 9, 1)
    assert found.max() == 255


def test_a_large_jpeg_keeps_its_content() -> None:
    large = smooth(4, 960, 1280)
    small = decode(encoded(large, "JPEG", quality=95), COLOR).pixels
    expected = np.asarray(Image.fromarray(large).resize((32, 24), Image.Resampling.BILINEAR))
    assert np.abs(small.astype(int) - expected).mean() < 3


def test_pixels_instead_of_a_file() -> None:
    pixels = smooth(5)
    assert (decode(pixels, COLOR).pixels == pixels).all()
    assert decode(pixels[..., :1], Fitting(12, 16, 1)).pixels.shape == (12, 16, 1)
    assert decode(np.zeros((24, 32, 4), np.uint8), COLOR).changes == ("alpha",)


def png(width: int, height: int, data: bytes = b"") -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def test_sizes_that_are_too_large_to_be_true() -> None:
    """Twice Pillow's limit is an error of its own; above the limit it only warns, which is not enough."""
    limit = Image.MAX_IMAGE_PIXELS
    assert limit
    for side in (int(limit**0.5) + 2, int((3 * limit) ** 0.5), 2**31 - 1):
        assert "pixels" in reason(png(side, side, zlib.compress(b"")))
    assert "cannot be decoded" in reason(png(9000, 9000, zlib.compress(b"")))  # within the limit, and empty


def test_the_limit_is_the_one_set_in_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
    assert "claims 32 × 24 pixels, more than 500" in reason(encoded(smooth(1)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert decode(encoded(smooth(1)), COLOR).size == (24, 32)


@pytest.mark.parametrize("form", FORMATS)
def test_truncated_files(form: str) -> None:
    data = encoded(np.random.default_rng(0).integers(0, 256, (200, 200, 3)).astype(np.uint8), form)
    assert "cannot be decoded" in reason(data[: len(data) // 2])
    assert reason(data[:3])


def test_what_is_no_picture() -> None:
    assert reason(b"") == "is empty"
    postscript = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n"  # Pillow would start a program for it
    for data in (b"just text", b"PK\3\4", b"\x89PNG", postscript, b"RIFF\0\0\0\0WAVEfmt ", b"<svg></svg>"):
        assert reason(data) == "is no PNG, JPEG, GIF, BMP, TIFF or WebP picture"


def test_damaged_exif_leaves_the_picture_as_it_is() -> None:
    data = encoded(smooth(1), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    with quiet():
        assert decode(data, COLOR).size == (24, 32)


SEEDS = [
    encoded(smooth(1, 6, 8), form, **settings)
    for form, settings in [*((form, {}) for form in FORMATS), ("TIFF", {"compression": "tiff_lzw"})]
] + [encoded(Image.fromarray(smooth(1, 6, 8)).quantize(16)), encoded(np.zeros((6, 8, 4), np.uint8))]


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(SEEDS), st.integers(0, 2**32), st.integers(1, 8), st.booleans())
def test_changed_bytes_give_a_picture_or_a_reason(data: bytes, seed: int, changes: int, cut: bool) -> None:
    chance = random.Random(seed)
    changed = bytearray(data)
    for _ in range(changes):
        changed[chance.randrange(len(changed))] = chance.choice((0, 1, 127, 128, 255, chance.randrange(256)))
    if cut:
        del changed[chance.randrange(len(changed)) :]
    with quiet():
        for read in (lambda: decode(bytes(changed), GREY).pixels.shape, lambda: read_header(bytes(changed))):
            try:
                told = str(read())
            except UnreadableError as error:
                told = str(error)
            assert 0 < len(told) < 200


@pytest.mark.parametrize(
    "wrong", [{"height": 0}, {"width": 5000}, {"channels": 4}, {"fit": "stretch"}, {"height": 2.5}]
)
def test_a_fitting_out_of_range(wrong: dict[str, object]) -> None:
    with pytest.raises(gg.ConfigError):
        Fitting(**{"height": 8, "width": 8} | wrong)  # type: ignore[arg-type]


def test_reading_a_picture_leaves_no_warning_filter_behind() -> None:
    before = list(warnings.filters)
    with quiet():
        decode(encoded(smooth(1)), COLOR)
    assert warnings.filters == before
