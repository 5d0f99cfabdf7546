"""Models of images: from a folder of pictures to predictions, with a report."""

from ganglion.image_model.joint import JointImageModel as JointImageModel
from ganglion.image_model.model import ImageModel as ImageModel
