"""Image sets whose lineages are known."""

from linnet.data.imageset import ImageSet, read
from linnet.data.layout import detect, is_flat, layouts

__all__ = ["ImageSet", "detect", "is_flat", "layouts", "read"]
