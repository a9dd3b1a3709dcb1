"""Patches in the format that gpt-oss was trained with: their parser, and their application."""

from .apply import FileChange as FileChange
from .apply import plan_changes as plan_changes
from .folder import ConfinedFolder as ConfinedFolder
from .parser import PatchError as PatchError
from .parser import parse_patch as parse_patch
