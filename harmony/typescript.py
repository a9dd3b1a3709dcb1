"""JSON Schema as the TypeScript-like declarations that harmony shows a model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_NAMES = {"string": "string", "number": "number", "integer": "number", "boolean": "boolean"}


def typescript(schema: Mapping[str, Any], indent: str = "") -> str:
    """The type that a schema describes."""
    kind: Any = schema.get("type")
    if isinstance(kind, list):
        return " | ".join("number" if one == "integer" else str(one) for one in list[Any](kind))
    if kind == "string" and schema.get("enum"):
        return " | ".join(f'"{one}"' for one in schema["enum"])
    if kind == "object":
        return _object(schema, indent)
    if kind == "array":
        return f"{typescript(schema['items'], indent)}[]" if "items" in schema else "Array<any>"
    return _NAMES.get(str(kind), "any")


def _object(schema: Mapping[str, Any], indent: str) -> str:
    lines = [f"{indent}// {schema['description']}"] if "description" in schema else []
    lines.append("{")
    for key, value in schema.get("properties", {}).items():
        if "description" in value:
            lines.append(f"{indent}// {value['description']}")
        mark = "" if key in schema.get("required", ()) else "?"
        line = f"{indent}{key}{mark}: {typescript(value, indent + '    ')},"
        if "default" in value:
            bare = "enum" in value and isinstance(value["default"], str)
            default = value["default"] if bare else json.dumps(value["default"])
            line += f" // default: {default}"
        lines.append(line)
    return "\n".join([*lines, f"{indent}}}"])
