"""What answers give away: links that carry data to a host."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote_plus, urlsplit

from treering.detect._blobs import decodings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_URL = re.compile(r"https?://[^\s\"'<>()\[\]]{4,2000}")
_MAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}\.[\w.-]{2,63}")
_OPAQUE = re.compile(r"[A-Za-z0-9+/_-]{40,}={0,2}")
_ENCODED = re.compile(r"[A-Za-z0-9+/_-]{12,}={0,6}")
_WORD = re.compile(r"[^\W_]{3,}")
_ENDING = re.compile(r"\.[A-Za-z]{2,4}$")
_SHORTEST = 6
_MOST_LINKS, _MOST_PARTS, _WORDS_OF_LABEL = 50, 20, 5
_FILLED_IN = frozenset(
    "q query search s k kw keyword keywords term terms text p wd find title name subject body message origin "
    "destination address place location loc from to near daddr saddr".split()
)
"""Names of parameters with which a link searches for, or fills in, what a person asked for."""


class Link(NamedTuple):
    """A link in an answer whose address carries something: where it is, its host, what it carries."""

    span: tuple[int, int]
    url: str
    host: str
    carries: str


class Given(NamedTuple):
    """What the model was told, the newest thing that the person said, and the names of the record."""

    texts: Sequence[str]
    asked: str
    names: Sequence[str]

    def holds(self, said: str) -> bool:
        """Return whether `said` was told as it stands."""
        return any(said in text for text in self.texts)

    def holds_words(self, said: str) -> bool:
        """Return whether all longer words of `said` were told, in any order; at least four."""
        words = set(_WORD.findall(said.casefold()))
        return len(words) >= 4 and words <= {word for text in self.texts for word in _WORD.findall(text.casefold())}


def _links(text: str) -> Iterator[tuple[re.Match[str], str]]:
    if "://" not in text:
        return
    for number, match in enumerate(_URL.finditer(text)):
        if number == _MOST_LINKS:
            return
        try:
            host = urlsplit(match[0]).hostname
        except ValueError:
            continue  # no address, only text that looks like one
        if host:
            yield match, host


def hosts(text: str) -> set[str]:
    """Return the hosts of the links in `text`."""
    return {host for _, host in _links(text)}


def data_link(text: str, given: Given) -> Link | None:
    """Return the first link or image in `text` with data of the conversation in its address.

    Data is an e-mail address, a name of the record, words that the model was told, an encoded text of such, and in the
    address of an image an opaque block; not a link that the model was told, nor one that looks for what was asked.
    """
    for match, host in _links(text):
        if given.holds(match[0]):
            continue
        is_image = text[max(0, match.start() - 120) : match.start()].rpartition("![")[1] != "" or "<img" in text
        if carries := _carried(match[0], host, given, is_image=is_image):
            return Link(match.span(), match[0], host, carries)
    return None


def _carried(url: str, host: str, given: Given, *, is_image: bool) -> str:
    place, _, rest = url.partition("://")[2].partition("/")
    before, _, fragment = rest.partition("#")
    path, _, query = before.partition("?")
    for pair in query.split("&")[:_MOST_PARTS]:
        name, _, value = pair.partition("=")
        if carries := _of_value(name.casefold(), unquote_plus(value), given, is_image=is_image):
            return carries
    login = place.rpartition("@")[0]
    cited = fragment.startswith(":~:")
    for part in (*path.split("/")[:_MOST_PARTS], login, "" if cited else fragment):
        plain = unquote_plus(_ENDING.sub("", part))
        is_asked = not is_image and plain.casefold() in given.asked.casefold()
        is_said = len(plain.split()) >= (3 if is_image else 6) and given.holds(plain)
        if _is_encoded(plain, given) or (is_said and not is_asked):
            return "text of the conversation"
    labels = host.split(".")[:-2]
    if any(label.count("-") >= _WORDS_OF_LABEL - 1 and given.holds_words(label.replace("-", " ")) for label in labels):
        return "words of the conversation"
    return "an encoded text" if any(_is_encoded(label, given) for label in (*labels, "".join(labels))) else ""


def _of_value(name: str, value: str, given: Given, *, is_image: bool) -> str:
    if len(value) < _SHORTEST:
        return ""
    is_filled_in = name in _FILLED_IN
    is_asked = not is_image and is_filled_in and value.casefold() in given.asked.casefold()
    is_said = len(value.split()) >= (3 if is_image else 4) and given.holds(value)
    ways = {
        "an e-mail address": bool(_MAIL.search(value)),
        "a name of the record": any(known in value for known in given.names if len(known) >= _SHORTEST - 2),
        "an opaque block": is_image and bool(_OPAQUE.fullmatch(value)),
        "an encoded text": _is_encoded(value, given),
        "text of the conversation": is_said and not is_asked,
        "words of the conversation": not is_filled_in and given.holds_words(value),
    }
    return next((what for what, is_so in ways.items() if is_so), "")


def _is_encoded(value: str, given: Given) -> bool:
    """Return whether a value stands for a text that was told, or words of it."""
    if not _ENCODED.fullmatch(value):
        return False
    found = (said.strip() for said in decodings(value))
    return any(len(said) >= _SHORTEST and (given.holds(said) or given.holds_words(said)) for said in found)
