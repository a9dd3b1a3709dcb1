"""Pages, documents and feeds as text that a model can read."""

from .document import HTML_TYPES as HTML_TYPES
from .document import Document as Document
from .document import read_document as read_document
from .page import SOURCE_PREFIX as SOURCE_PREFIX
from .page import Page as Page
from .page import neutralize_marks as neutralize_marks
from .page_writer import PageWriter as PageWriter
