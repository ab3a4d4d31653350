"""Corpora: attacks by technique, ours as data (`content/drills/*.toml`), and files of the same form."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from treering.app.drill.behaviour import PLAYS
from treering.app.drill.disguise import disguised
from treering.app.drill.line import Case
from treering.app.drill.spoken import Spoken, lines
from treering.core.config import Config, decode, read_toml
from treering.core.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOST_CASES = 5_000


class Technique(Config, frozen=True):
    """A way to attack, and attacks of that way: `cases` in words, `plays` by behaviour."""

    title: Annotated[str, Meta(description="what the attack is, in a line")]
    techniques: Annotated[tuple[str, ...], Meta(description="framework@version:id")] = ()
    detectors: Annotated[tuple[str, ...], Meta(description="those from which one is expected; any if empty")] = ()
    cases: Annotated[tuple[Spoken, ...], Meta(max_length=MOST_CASES, description="what is said")] = ()
    plays: Annotated[tuple[str, ...], Meta(description="behaviours, by name")] = ()
    disguises: Annotated[tuple[str, ...], Meta(description="each case in each of these instead of plainly")] = ()
    harmless: Annotated[bool, Meta(description="whether nothing may be noticed")] = False
    name: str = ""


def shipped() -> list[Technique]:
    """Return the techniques that come with treering, by name."""
    folder = resources.files("treering.content") / "drills"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".toml")), key=lambda file: file.name)
    return [
        _named(decode(msgspec.toml.decode(file.read_bytes()), Technique, file.name), file.name.removesuffix(".toml"))
        for file in files
    ]


def read(path: Path) -> Technique:
    """Return the technique in a TOML file of one's own. Raises `UserError`."""
    return _named(decode(read_toml(path), Technique, str(path)), path.stem)


def _named(technique: Technique, name: str) -> Technique:
    return technique if technique.name else msgspec.structs.replace(technique, name=name)


def cases(technique: Technique, canary: str) -> Iterator[Case]:
    """Yield the attacks of a technique. Raises `UserError` for a disguise or a behaviour there is not."""
    about = (technique.detectors, technique.harmless)
    for number, said in enumerate(technique.cases, 1):
        for how in technique.disguises or ("",):
            name = f"{technique.name}-{number}" + (f"-{how}" if how else "")
            shown = msgspec.structs.replace(said, user=disguised(said.user, how)) if how else said
            yield Case(name, technique.name, lines(shown, name, canary), *about, _about(said))
    for play in technique.plays:
        if (make := PLAYS.get(play)) is None:
            raise UserError(f"no behaviour is called {play[:40]!r}", hint=f"known: {', '.join(PLAYS)}")
        name = f"{technique.name}-{play}"
        yield Case(name, technique.name, make(name), *about, (make.__doc__ or play).partition("\n")[0])


def _about(said: Spoken) -> str:
    spoken = (said.document, said.tool, said.memory, said.answer, said.user, said.log)
    return next((text for text in spoken if text), "")[:120]


def chosen(known: list[Technique], names: tuple[str, ...]) -> list[Technique]:
    """Return the techniques called `names`, all if there are none. Raises `UserError` for a name that none has."""
    held = {technique.name: technique for technique in known}
    for name in names:
        if name not in held:
            raise UserError(f"no technique is called {name[:40]!r}", hint=f"known: {', '.join(held)}")
    return [held[name] for name in names] if names else known
