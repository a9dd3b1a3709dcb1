"""Removal of what killed processes left behind."""

from .ownership import MAX_AGE_S as MAX_AGE_S
from .ownership import cache_folder as cache_folder
from .ownership import create_owned_folder as create_owned_folder
from .ownership import owner_labels as owner_labels
from .reaper import prune as prune
from .reaper import remove_abandoned as remove_abandoned
from .reaper import remove_folders as remove_folders
