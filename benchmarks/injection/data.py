"""Rows of labelled texts: where they come from, which may be trained on, and what must never be in training."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import unicodedata
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from benchmarks.injection import grammar

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FOLDER = Path(
    os.environ.get("TREERING_INJECTION_DATA", Path(__file__).parents[2].parent / "shared" / "data" / "injection")
)
"""Where the rows are; they are not part of the project."""
UNLICENSED = frozenset({
    "alpaca_en_demo", "alpaca_zh_demo", "dpo_en_demo", "dpo_zh_demo", "gpteacher_codegen", "gpteacher_roleplay",
    "halueval_general", "owasp_llm_docs",
})  # fmt: skip
"""Sources whose licence does not allow, or leaves open, to train shipped weights on them; benign texts to test on."""
LOOKED_AT = frozenset({
    "alpaca_seed", "bastioncorpus", "freshqa", "gpteacher_toolformer", "kto_en_demo", "persistbench", "sigma_rules",
})  # fmt: skip
"""Benign sources of `look`: thresholds may be set on them, nothing is trained on them."""
FAMILY = {
    "pyrit_jb": "in the wild", "pyrit_jb_itw": "in the wild", "verazuo_itw": "in the wild",
    "nc_harmbench_benign": "neuralchemy", "nc_wildguard_judgecomp": "neuralchemy",
    "ours abroad": "ours",
    "asb_naive": "asb", "asb_bare": "asb",
    "bipia_train": "bipia", "bipia_train_clean": "bipia", "bipia_train_bare": "bipia",
    "spikee_jailbreak": "spikee", "spikee_document": "spikee", "spikee_bare_indirect_instruction": "spikee",
}  # fmt: skip
"""Sources that hold texts of each other are held out together."""
USER, DATA = 0, 1
"""The heads of the model: what people say; documents and what tools return."""
_APART = re.compile(r"[\W_]+")
_PASSAGE = re.compile(r"(?:\n\s*\n|(?<=[.!?。])\s+)")


class Row(NamedTuple):
    """A text, 1 if it is an attack, where it is from, its role, language and kind, and what was put into it."""

    text: str
    label: int
    source: str
    role: str
    lang: str = ""
    kind: str = ""
    planted: tuple[int, int] = (0, 0)
    container: str = ""

    @property
    def family(self) -> str:
        """Return the name of the sources that are held out together with this one."""
        return FAMILY.get(self.source, self.source)


def rows(name: str) -> list[Row]:
    """Return the rows of train, calib, look or other. Raises `FileNotFoundError` where the data is not at hand."""
    with gzip.open(FOLDER / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
        found = [msgspec.json.decode(line) for line in file]
    return [
        Row(r["text"], r["label"], r["source"], r["role"], r.get("lang") or "", r["kind"]) for r in found if r["text"]
    ]


def digest(text: str) -> str:
    """Return the name by which rows that must not be trained on are known (README of the data)."""
    words = _APART.sub(" ", unicodedata.normalize("NFKC", text).lower()).strip(" ")
    return hashlib.blake2b(words.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def held_out() -> set[str]:
    """Return the digests of all texts that must never be trained on: those listed, and those that are looked at."""
    listed = (FOLDER / "holdout_hashes.txt").read_text("utf-8").split()
    return {*listed, *(digest(row.text) for row in rows("look"))}


def refuse_leaks(found: Iterable[Row], held: set[str]) -> None:
    """Raise `ValueError` naming the source of a row that must never be trained on."""
    for row in found:
        if digest(row.text) in held:
            raise ValueError(f"a row of {row.source} must not be trained on: {digest(row.text)}")


def training(seed: int = 7) -> list[Row]:
    """Return all that shipped weights are trained on: licensed rows, texts of our own, both put together."""
    random, held = Random(seed), held_out()
    orders_known = [row.text for row in rows("other") if row.source == "bipia_train_bare"]
    licensed = [_located(row, orders_known) for row in rows("train") if row.source not in UNLICENSED]
    refuse_leaks(licensed, held)
    bare = [row for row in rows("other") if "bare" in row.kind]
    own = [
        Row(
            t["text"],
            int(s == "attack"),
            "ours" if t["lang"] == "en" else "ours abroad",
            "user",
            t["lang"],
            f"{s} {t['kind']}",
        )
        for s, each in (("attack", 60), ("benign", 70))
        for t in grammar.texts(s, each, random)
    ]
    orders = [Row(t["text"], 0, "ours", "user", t["lang"], "order") for t in grammar.texts("order", 60, random)]
    documents = [row for row in licensed if row.role == "tool" and row.label == 0]
    asked = [row._replace(role="user", label=0) for row in bare] + orders
    cut = [passage for row in documents for passage in passages(row, random)]
    short = [row for row in (*own, *licensed) if row.role == "user" and len(row.text) < 400]
    attacks = [row for row in short if row.label == 1]
    said = [Row(t["text"], 1, "ours", "tool", t["lang"], "indirect") for t in grammar.texts("indirect", 60, random)]
    planted = plant(documents, [*bare, *orders], [*attacks, *said, *said], random) + said
    mixed = composed([row for row in short if row.label == 0], cut, attacks, random)
    made = [row for row in (*own, *asked, *cut, *mixed, *planted) if digest(row.text) not in held]
    return [*licensed, *made]


def _located(row: Row, orders: Sequence[str]) -> Row:
    """Return a row of bipia with the place of its order, which its set does not give."""
    if row.source != "bipia_train":
        return row
    found = next(((row.text.find(order), len(order)) for order in orders if order in row.text), None)
    return row._replace(planted=(found[0], sum(found))) if found else row


def passages(row: Row, random: Random, most: int = 2) -> list[Row]:
    """Return stretches of a document as something that a person might paste."""
    parts = [part for part in _PASSAGE.split(row.text) if len(part) > 15]
    found = []
    for _ in range(min(most, len(parts))):
        first = random.randrange(len(parts))
        text = "\n".join(parts[first : first + random.choice((1, 2, 4, 8))])[:2500]
        found.append(Row(text, 0, row.source, "user", row.lang, "passage"))
    return found


_ABOUT = (
    "Summarize this text:", "Translate this into English:", "What is this about?", "Read the article and answer.",
    "Fix the errors in the following text.", "Write a headline for it:", "Extract all names.", "Is this correct?",
    "Answer the question from the context below.", "Rewrite this in simple words", "Classify the text:", "tl;dr",
)  # fmt: skip
_JOINTS = (" ", "\n", "\n\n", ". ", " - ", "\n---\n", " || ")


def composed(
    asked: Sequence[Row], pasted: Sequence[Row], attacks: Sequence[Row], random: Random, each: int = 2500
) -> list[Row]:
    """Return questions with something pasted, and the like with an attack among it: the same words around both."""
    found = []
    for index in range(2 * each):
        parts = (
            [random.choice(_ABOUT), random.choice(pasted).text[:1200]]
            if random.random() < 0.5
            else [random.choice(asked).text for _ in range(random.choice((1, 2)))]
        )
        label, source = index % 2, "ours"
        if label:
            said = random.choice(attacks)
            parts.insert(random.choice((0, len(parts), len(parts))), said.text)
            source = said.source
        elif len(parts) == 1:
            parts.append(random.choice(asked).text)
        found.append(Row(random.choice(_JOINTS).join(parts), label, source, "user", "", "composed"))
    return found


def plant(
    documents: Sequence[Row], orders: Sequence[Row], attacks: Sequence[Row], random: Random, each: int = 2500
) -> list[Row]:
    """Return documents into which an order or an attack was put; the same documents are benign without it."""
    found = []
    for kind, texts in (("planted order", orders), ("planted attack", attacks)):
        for _ in range(each):
            document, said = random.choice(documents), random.choice(texts)
            places = [0, len(document.text), *(m.end() for m in _PASSAGE.finditer(document.text[:6000]))]
            at = random.choice(places)
            low = max(0, at - 500)
            before, after = document.text[low:at], document.text[at : at + 500]
            start = len(before) + 1
            text = f"{before}\n{said.text}\n{after}"
            family = said.source if FAMILY.get(said.source, said.source) != "ours" else document.source
            found.append(
                Row(text, 1, family, "tool", document.lang, kind, (start, start + len(said.text)), document.source)
            )
    return found


def log_lines(each: int = 500) -> list[Row]:
    """Return lines of the logs of sixteen systems, as what a tool may return; to test on only."""
    found = []
    for file in sorted(FOLDER.parent.glob("templates/*/*_2k.log.gz")):
        with gzip.open(file, "rt", encoding="utf-8", errors="replace") as lines:
            said = [line.strip() for line, _ in zip(lines, range(each), strict=False)]
        found += [Row(line, 0, "log lines", "tool") for line in said if line]
    return found
