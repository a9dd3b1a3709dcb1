"""Pages, documents and feeds as text that a model can read."""

from .document import HTML as HTML
from .document import Document as Document
from .document import read_document as read_document
from .page import SOURCE_PREFIX as SOURCE_PREFIX
from .page import Page as Page
from .writer import Writer as Writer
from .writer import harmless as harmless
