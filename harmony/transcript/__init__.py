"""The growing prompt of a run."""

from .transcript import Transcript as Transcript
