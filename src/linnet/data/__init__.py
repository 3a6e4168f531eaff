"""Image sets whose lineages are known."""

from linnet.data.imageset import ImageSet, read

__all__ = ["ImageSet", "read"]
