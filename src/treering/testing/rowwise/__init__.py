"""A second, naive reading of PPL: pipelines over lists of dicts, row by row, to hold the engine against.

Written from the manual, for clarity and not for speed; it shares the parser with the engine and nothing else. It knows
the commands of `commands.COMMANDS` and the functions of `functions.FUNCTIONS`, and refuses the rest by name.
"""

from treering.testing.rowwise.evaluate import run
from treering.testing.rowwise.table import Table

__all__ = ["Table", "run"]
