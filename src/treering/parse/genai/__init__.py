"""GenAI telemetry in every dialect: names made canonical as batches come in, calls read as data."""

from treering.parse.genai.normalise import Normaliser
from treering.parse.genai.reading import call, calls

__all__ = ["Normaliser", "call", "calls"]
