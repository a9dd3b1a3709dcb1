"""Messages, headers, content and the token vocabulary."""

from . import special as special
from .content import CHANNELS as CHANNELS
from .content import DeveloperContent as DeveloperContent
from .content import Json as Json
from .content import ReasoningEffort as ReasoningEffort
from .content import ResponseFormat as ResponseFormat
from .content import SystemContent as SystemContent
from .content import ToolDescription as ToolDescription
from .content import ToolNamespace as ToolNamespace
from .header import CONSTRAIN_MARK as CONSTRAIN_MARK
from .header import Header as Header
from .header import check_header as check_header
from .header import header_of as header_of
from .header import message_of as message_of
from .messages import ROLES as ROLES
from .messages import Message as Message
from .messages import Part as Part
from .messages import Role as Role
from .messages import conversation_from_json as conversation_from_json
from .messages import conversation_to_json as conversation_to_json
from .special import STOP_TOKENS as STOP_TOKENS
from .special import special_indices as special_indices
from .vocabulary import decode as decode
from .vocabulary import encode as encode
from .vocabulary import load_vocabulary as load_vocabulary
from .vocabulary import write_ranks as write_ranks
