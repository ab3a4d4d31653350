"""What the language knows of a value (manual: functions/system)."""

from __future__ import annotations

from treering.query.arguments import takes
from treering.query.coerce import string
from treering.query.function import Function

FUNCTIONS: dict[str, Function] = {"typeof": takes("typeof", "any", lambda value: string(value.type.upper()))}
