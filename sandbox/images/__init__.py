"""The images and system trees that sandboxes start from."""

from .debian import tree_path as tree_path
from .image import build_image as build_image
from .image import build_tree as build_tree
from .image import image_tag as image_tag
from .outdated import prune_images as prune_images
