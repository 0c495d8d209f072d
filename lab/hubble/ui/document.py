"""The page as one document: styles, scripts and picture inside it, so that one request shows it.

index.html names its files as if each were fetched; here they are put in place of their names. A
plain script stays where it stands and runs as soon as it is parsed; the module goes to the end.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from lab.hubble.ui.modules import bundle

STATIC = Path(__file__).parent / "static"

_STYLE = re.compile(r' *<link rel="stylesheet" href="/static/(?P<path>[^"]+)">\n')
_EARLY = re.compile(r'<script src="/static/(?P<path>[^"]+)"></script>')
_MODULE = re.compile(r' *<script type="module" src="/static/(?P<path>[^"]+)"></script>\n')
_PICTURE = re.compile(r'"/static/(?P<path>[^"]+\.svg)"')


@dataclass(frozen=True)
class Document:
    """What every address of the page answers with. `policy` allows exactly what is in it."""

    body: bytes
    compressed: bytes
    tag: str
    policy: str

    def answer(self, request: Request) -> Response:
        """The document; 304 for a browser that has it."""
        headers = {"ETag": self.tag, "Vary": "Accept-Encoding"}
        if request.headers.get("if-none-match") == self.tag:
            return Response(status_code=304, headers=headers)
        body = self.body
        if "gzip" in request.headers.get("accept-encoding", ""):
            body, headers["Content-Encoding"] = self.compressed, "gzip"
        return Response(body, media_type="text/html", headers=headers)


def assemble(static: Path = STATIC) -> Document:
    """The document out of the files of a directory."""
    page = (static / "index.html").read_text()
    style = "\n".join((static / found["path"]).read_text() for found in _STYLE.finditer(page))
    early, module = _script(static, _EARLY, page), _script(static, _MODULE, page)
    page = _PICTURE.sub(lambda found: f'"{_data_url(static / found["path"])}"', page)
    page = _STYLE.sub("", page).replace("</head>", f"<style>{style}</style>\n</head>")
    page = _EARLY.sub(lambda _: f"<script>{early}</script>", page)
    page = _MODULE.sub("", page).replace(
        "</body>", f'<script type="module">{module}</script>\n</body>'
    )
    body = page.encode()
    return Document(
        body=body,
        compressed=gzip.compress(body, mtime=0),
        tag=f'"{hashlib.sha256(body).hexdigest()[:16]}"',
        policy=_policy((early, module), style),
    )


def _script(static: Path, named: re.Pattern[str], page: str) -> str:
    """The one script that the page names in this way. A block keeps its names to itself."""
    found = named.search(page)
    return f"{{\n{bundle(static / found['path'])}\n}}" if found else ""


def _policy(scripts: Sequence[str], style: str) -> str:
    """The Content-Security-Policy: these scripts, this style, this server's data, nothing else."""
    allowed = " ".join(f"'{_digest(script)}'" for script in scripts)
    return (
        f"default-src 'none'; script-src {allowed}; style-src '{_digest(style)}';"
        " img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    )


def _digest(text: str) -> str:
    return f"sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _data_url(path: Path) -> str:
    return f"data:image/svg+xml;base64,{b64encode(path.read_bytes()).decode()}"
