"""Removal of what killed processes left behind."""

from .ownership import LIFE_S as LIFE_S
from .ownership import cache_folder as cache_folder
from .ownership import labels as labels
from .ownership import own_folder as own_folder
from .reaper import prune as prune
from .reaper import remove_abandoned as remove_abandoned
from .reaper import remove_folders as remove_folders
