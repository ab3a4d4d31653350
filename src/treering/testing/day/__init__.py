"""The known day: a deterministic simulation of an AI platform, sent through real protocols, with its ground truth."""

from treering.testing.day.day import Day
from treering.testing.day.emission import CHANNELS, FILES, Emission, LogFile
from treering.testing.day.play import Played, Player, play, write
from treering.testing.day.truth import Evidence, Incident, Truth

__all__ = [
    "CHANNELS",
    "FILES",
    "Day",
    "Emission",
    "Evidence",
    "Incident",
    "LogFile",
    "Played",
    "Player",
    "Truth",
    "play",
    "write",
]
