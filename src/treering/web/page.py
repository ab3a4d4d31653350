"""The page: the built files of `static/`, from memory, with headers that let nothing else run in it."""

from __future__ import annotations

import hashlib
import mimetypes
from pathlib import Path
from typing import TYPE_CHECKING

from treering.stage.source import Response

if TYPE_CHECKING:
    from treering.stage.source import Request

STATIC = Path(__file__).parent / "static"
# Log text ends up in this page: no script or style but ours works, and nothing is sent anywhere else.
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css", ".woff2": "font/woff2"}
_INDEX = "/index.html"


class Page:
    """Answers browsers."""

    def __init__(self, folder: Path = STATIC) -> None:
        """Read the files of `folder`; without an `index.html` there is no page."""
        self._files: dict[str, tuple[bytes, dict[str, str]]] = {}
        if folder.is_dir():
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    self._add(f"/{path.relative_to(folder).as_posix()}", path.read_bytes(), path.suffix)

    def _add(self, name: str, data: bytes, suffix: str) -> None:
        kind = _TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
        if kind.startswith("text/"):
            kind += "; charset=utf-8"
        # Names under assets/ carry a digest of their content, so they never change.
        lasting = "public, max-age=31536000, immutable" if name.startswith("/assets/") else "no-cache"
        tag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
        headers = {"content-type": kind, "cache-control": lasting, "etag": tag, "content-security-policy": CSP}
        self._files[name] = (data, headers)

    def answer(self, request: Request) -> Response | None:
        """Return the file that `request` names, the page for a browser's visit, or None when it is for others."""
        if request.method not in ("GET", "HEAD"):
            return None
        found = self._files.get(request.path)
        if found is None and _is_visit(request):
            found = self._files.get(_INDEX)
        if found is None:
            return None
        data, headers = found
        if request.headers.get("if-none-match") == headers["etag"]:
            return Response(304, b"", headers)
        return Response(200, data, headers)


def _is_visit(request: Request) -> bool:
    # A browser's address bar asks for text/html; OpenSearch clients, which ask for `/` too, never do.
    return "text/html" in request.headers.get("accept", "") and not request.path.startswith(("/api/", "/v1/"))
