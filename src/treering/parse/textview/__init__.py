"""Views of a text as a model may read it: without tricks of writing, decoded, straightened out.

People who hide words from filters write them with look-alike letters, invisible characters, base64, leetspeak or single
spaced letters. `plain` undoes what Unicode allows (and is all that most texts need), `decoded` undoes encodings one
layer at a time, `straightened` undoes the spellings that one asks for. Every view maps a span back to the original.

Methods: NFKC (UAX #15), the idea of confusable skeletons (UTS #39, section 4) with a table of our own, RFC 4648,
RFC 3986, HTML character references. Text is only read as data; the work is bounded by `MAX_LAYERS` and `MAX_DECODED`.
"""

from treering.parse.textview.decode import MAX_DECODED, MAX_LAYERS, decoded
from treering.parse.textview.disguise import ROT13, SPELLINGS, straightened
from treering.parse.textview.fold import fold, plain
from treering.parse.textview.view import View

__all__ = ["MAX_DECODED", "MAX_LAYERS", "ROT13", "SPELLINGS", "View", "decoded", "fold", "plain", "straightened"]
