"""A drawn world of animals that needs no download, for tests, demos and experiments."""

from linnet.data.critters.files import images, write
from linnet.data.critters.world import World

__all__ = ["World", "images", "write"]
