"""The system that a sandbox starts from."""

from . import debian as debian
from .image import build_image as build_image
from .image import build_tree as build_tree
from .image import image_tag as image_tag
from .outdated import prune_images as prune_images
