"""From files of pictures to arrays of bytes: find them, decode them once, find copies, and augment.

pictures = open_images("photos")           # names, classes, and what is left out
store = decode_pictures(pictures)          # store.images: bytes of shape (n, height, width, channels)
blocks = find_copies(store.images).blocks  # equal for copies of one picture; a split keeps them together
batch = Augmentation(shift=0.1).apply(store.images, seed, epoch, rows)
"""

from ganglion.images.augmentation import Augmentation
from ganglion.images.copies import Copies, find_copies
from ganglion.images.decoding import Fitting
from ganglion.images.places import LeftOut
from ganglion.images.progress import ProgressBar
from ganglion.images.sources import Pictures, open_images
from ganglion.images.store import Store, choose_fitting, decode_pictures

__all__ = [
    "Augmentation",
    "Copies",
    "Fitting",
    "LeftOut",
    "Pictures",
    "ProgressBar",
    "Store",
    "choose_fitting",
    "decode_pictures",
    "find_copies",
    "open_images",
]
