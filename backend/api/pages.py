"""The page and its files, all of them local: its own, Plotly's and Swagger UI's from their installed packages."""

import gzip
import hashlib
import posixpath
import re
import stat
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from fastapi import APIRouter, FastAPI, HTTPException, Request, Response
from fastapi.responses import FileResponse, HTMLResponse
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import Headers
from starlette.types import Scope

FRONTEND = Path(__file__).resolve().parents[2] / "frontend"
_PACKAGED = {
    "plotly.min.js": ("plotly", "package_data/plotly.min.js", "text/javascript"),
    "swagger-ui.js": ("fastapi_swagger", "resources/swagger-ui-bundle.js", "text/javascript"),
    "swagger-ui.css": ("fastapi_swagger", "resources/swagger-ui.css", "text/css"),
}
# The page's views: by address, the module that shows it.
VIEWS = {
    "/": "runs/page.js",
    "/runs/{run_id}": "run/page.js",
    "/compare": "compare/page.js",
    "/queue": "service/queue.js",
    "/data": "service/data.js",
}
MAIN = "main.js"
_IMPORT = re.compile(r'^(?:import|export)\b[^"\n]*"(\.[^"]+)"', re.MULTILINE)
_MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css"}
# The page's files may change with the next start, and then must be asked for anew; unchanged ones cost a 304.
_REVALIDATE = {"cache-control": "no-cache"}

router = APIRouter(include_in_schema=False)


def _view(path: str, module: str) -> None:
    @router.get(path)
    def page() -> HTMLResponse:
        return _page(200, module)


for _path, _module in VIEWS.items():
    _view(_path, _module)


def login_page() -> HTMLResponse:
    """The page for who has not shown the token: it asks for that when its first question to the API is refused."""
    return _page(401)


def not_found_page() -> HTMLResponse:
    """The page for an address that is none of its views: it says so."""
    return _page(404)


def _page(status: int, module: str = MAIN) -> HTMLResponse:
    return HTMLResponse(_page_text(module), status_code=status, headers=_REVALIDATE)


@cache
def _page_text(module: str) -> str:
    # A browser learns of a module only from the one that imports it, a round trip a step: so all are named at once.
    needed = sorted(_imported(MAIN) | _imported(module))
    links = "".join(f'<link rel="modulepreload" href="/static/js/{name}">\n' for name in needed)
    return (FRONTEND / "index.html").read_text().replace("</head>", f"{links}</head>", 1)


def _imported(module: str) -> set[str]:
    """A module of the page and all that it can't begin without, by their places in the folder of scripts."""
    found, unread = {module}, [module]
    while unread:
        name = unread.pop()
        for word in _IMPORT.findall((FRONTEND / "js" / name).read_text()):
            imported = posixpath.normpath(posixpath.join(posixpath.dirname(name), word))
            if imported not in found:
                found.add(imported)
                unread.append(imported)
    return found


@router.get("/api/docs")
def docs() -> HTMLResponse:
    """Interactive documentation, from local files."""
    return HTMLResponse(
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Backprop Lab API</title>'
        '<link rel="icon" href="/static/favicon.svg"><link rel="stylesheet" href="/static/swagger-ui.css"></head>'
        '<body><div id="docs"></div><script src="/static/swagger-ui.js"></script>'
        '<script src="/static/js/api-docs.js"></script></body></html>'
    )


@router.get("/static/favicon.svg")
def favicon() -> FileResponse:
    """The page's sign."""
    return FileResponse(FRONTEND / "favicon.svg", headers=_REVALIDATE)


class _File(NamedTuple):
    """A file in memory, ready to be sent."""

    content: bytes
    compressed: bytes
    etag: str
    media_type: str

    @classmethod
    def of(cls, content: bytes, media_type: str) -> "_File":
        return cls(content, gzip.compress(content, 6), f'"{hashlib.sha256(content).hexdigest()[:32]}"', media_type)

    def answer(self, headers: Headers) -> Response:
        """What a request with these headers is sent: nothing, where it has the file already."""
        ours = _REVALIDATE | {"etag": self.etag, "vary": "Accept-Encoding"}
        if headers.get("if-none-match") == self.etag:
            return Response(status_code=304, headers=ours)
        if "gzip" in headers.get("accept-encoding", ""):
            return Response(self.compressed, media_type=self.media_type, headers=ours | {"content-encoding": "gzip"})
        return Response(self.content, media_type=self.media_type, headers=ours)


@cache
def _packaged_file(name: str) -> _File:
    package, path, media_type = _PACKAGED[name]
    return _File.of(files(package).joinpath(path).read_bytes(), media_type)


def _packaged(name: str) -> None:
    @router.get(f"/static/{name}", name=name)
    def packaged(request: Request) -> Response:
        return _packaged_file(name).answer(request.headers)


for _name in _PACKAGED:
    _packaged(_name)


class _PageFiles(StaticFiles):
    """A page asks for more than a hundred small files at once: they are read and compressed once for all."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        if scope["method"] not in ("GET", "HEAD"):
            raise HTTPException(405)
        full_path, found = self.lookup_path(path)
        if found is None or not stat.S_ISREG(found.st_mode) or Path(full_path).suffix not in _MEDIA_TYPES:
            raise HTTPException(404)
        return _page_file(full_path, found.st_mtime_ns, found.st_size).answer(Headers(scope=scope))


@lru_cache(maxsize=500)
def _page_file(path: str, _changed_ns: int, _size: int) -> _File:
    # A file that was edited is another: whoever works on the page need not start the service again.
    return _File.of(Path(path).read_bytes(), _MEDIA_TYPES[Path(path).suffix])


def install(app: FastAPI) -> None:
    """Let the app serve the page."""
    app.include_router(router)
    for folder in ("css", "js"):
        app.mount(f"/static/{folder}", _PageFiles(directory=FRONTEND / folder), name=folder)
