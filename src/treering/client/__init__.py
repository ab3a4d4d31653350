"""What runs in a user's own program and sends to treering: the standard library alone, and never in the way.

Nothing here waits for the network or raises into the program. What cannot be sent is dropped and counted.
"""

from treering.client.handler import TreeringHandler
from treering.client.sender import Bounds, Sender, shared

__all__ = ["Bounds", "Sender", "TreeringHandler", "shared"]
