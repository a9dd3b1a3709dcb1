"""ossia: tool-using agents on OpenAI's open-weight gpt-oss models, token ids in and token ids out.

Import from the four folders: `ossia.harmony` (tokens and messages), `ossia.sandbox` (where
untrusted code runs), `ossia.tools` (what a model may call), `ossia.agent` (the loop, its engines).
"""

import logging

# Without a handler of its own, Python would print warnings of ossia's loggers to stderr.
logging.getLogger("ossia").addHandler(logging.NullHandler())
