"""The built page is of the sources in ui/, whole, small and closed to the outside."""

from __future__ import annotations

import gzip
import hashlib
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
UI = ROOT / "ui"
STATIC = ROOT / "src/treering/web/static"


def digest() -> str:
    """Return the SHA-256 over names and contents of the sources, in order of their names' bytes."""
    found = sorted(
        (path.relative_to(UI).as_posix().encode(), path)
        for path in UI.rglob("*")
        if path.is_file() and path.suffix != ".md" and "node_modules" not in path.relative_to(UI).parts[:1]
    )
    whole = hashlib.sha256()
    for name, path in found:
        whole.update(name + b"\0" + path.read_bytes() + b"\0")
    return whole.hexdigest()


def test_the_built_page_is_of_these_sources() -> None:
    built = (STATIC / "source.sha256").read_text().strip()
    assert built == digest(), "ui/ changed: run `npm ci && npm run build` in ui/ and commit src/treering/web/static"


def test_everything_the_page_loads_is_there_and_ours() -> None:
    index = (STATIC / "index.html").read_text()
    links = re.findall(r'(?:src|href)="([^"]+)"', index)
    assert any(link.endswith(".js") for link in links)
    for link in links:
        assert link.startswith("/")
        assert (STATIC / link.lstrip("/")).is_file(), link


def test_the_page_has_no_inline_script_and_no_source_map() -> None:
    index = (STATIC / "index.html").read_text()
    assert not re.search(r"<script(?![^>]*\bsrc=)", index)
    assert "style=" not in index
    assert not list(STATIC.rglob("*.map"))
    assert not any("sourceMappingURL" in path.read_text() for path in STATIC.rglob("*.js"))


def test_the_page_stays_small() -> None:
    sizes = {path.name: len(gzip.compress(path.read_bytes(), 9)) for path in STATIC.rglob("*") if path.is_file()}
    assert sum(sizes.values()) < 400_000, sizes
    # The editor of queries is half of everything and comes with Explore only.
    first = {name: size for name, size in sizes.items() if not name.startswith("Explore-")}
    assert sum(first.values()) < 260_000, first


def test_the_lock_file_names_no_registry() -> None:
    lock = (UI / "package-lock.json").read_text()
    assert '"integrity"' in lock
    assert '"resolved"' not in lock
