"""The page and its files, all of them local: its own, Plotly's and Swagger UI's from their installed packages."""

import gzip
from functools import cache
from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import FileResponse, HTMLResponse
from fastapi.staticfiles import StaticFiles

FRONTEND = Path(__file__).resolve().parents[2] / "frontend"
_PACKAGED = {
    "plotly.min.js": ("plotly", "package_data/plotly.min.js", "text/javascript"),
    "swagger-ui.js": ("fastapi_swagger", "resources/swagger-ui-bundle.js", "text/javascript"),
    "swagger-ui.css": ("fastapi_swagger", "resources/swagger-ui.css", "text/css"),
}
# The page's files may change with the next start, and then must be asked for anew; unchanged ones cost a 304.
_REVALIDATE = {"cache-control": "no-cache"}

router = APIRouter(include_in_schema=False)


@router.get("/")
@router.get("/runs/{run_id}")
@router.get("/compare")
@router.get("/queue")
@router.get("/data")
def page() -> HTMLResponse:
    """The page; which of its views, the address says."""
    return _page(200)


def login_page() -> HTMLResponse:
    """The page for who has not shown the token: it asks for that when its first question to the API is refused."""
    return _page(401)


def not_found_page() -> HTMLResponse:
    """The page for an address that is none of its views: it says so."""
    return _page(404)


def _page(status: int) -> HTMLResponse:
    return HTMLResponse(_page_text(), status_code=status, headers=_REVALIDATE)


@cache
def _page_text() -> str:
    # A browser learns of a module only from the one that imports it, a round trip a step: so all are named at once.
    text = (FRONTEND / "index.html").read_text()
    modules = sorted(path.relative_to(FRONTEND) for path in (FRONTEND / "js").glob("*/*.js"))
    links = "".join(f'<link rel="modulepreload" href="/static/{path.as_posix()}">\n' for path in modules)
    return text.replace("</head>", f"{links}</head>", 1)


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


def _packaged_file(name: str) -> tuple[bytes, bytes, str, str]:
    """A file of an installed package: as it is, compressed, its ETag and its media type."""
    package, path, media_type = _PACKAGED[name]
    content = files(package).joinpath(path).read_bytes()
    return content, gzip.compress(content, 6), f'"{package}-{len(content)}"', media_type


_cached_file = cache(_packaged_file)


def _packaged(name: str) -> None:
    @router.get(f"/static/{name}", name=name)
    def packaged(request: Request) -> Response:
        content, compressed, etag, media_type = _cached_file(name)
        headers = _REVALIDATE | {"etag": etag, "vary": "Accept-Encoding"}
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers=headers)
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(compressed, media_type=media_type, headers=headers | {"content-encoding": "gzip"})
        return Response(content, media_type=media_type, headers=headers)


for _name in _PACKAGED:
    _packaged(_name)


class _Revalidated(StaticFiles):
    def file_response(self, *args: object, **kwargs: object) -> Response:
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        response.headers.update(_REVALIDATE)
        return response


def install(app: FastAPI) -> None:
    """Let the app serve the page."""
    app.include_router(router)
    for folder in ("css", "js"):
        app.mount(f"/static/{folder}", _Revalidated(directory=FRONTEND / folder), name=folder)
