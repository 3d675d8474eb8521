"""The page's own files."""

import os
import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from backend.api.pages import FRONTEND, VIEWS

SCRIPT, SHEET = "/static/js/main.js", "/static/css/tokens.css"


class TestPageFiles:
    @pytest.mark.parametrize("encoding", ["gzip", "identity"])
    @pytest.mark.parametrize(("path", "media_type"), [(SCRIPT, "text/javascript"), (SHEET, "text/css")])
    def test_are_what_lies_in_the_folder(self, client: TestClient, path: str, media_type: str, encoding: str) -> None:
        """Packed or not, the bytes are those of the file; a browser asks each time whether it has changed."""
        answer = client.get(path, headers={"accept-encoding": encoding})
        assert answer.content == (FRONTEND / path.removeprefix("/static/")).read_bytes()
        assert answer.headers.get("content-encoding", "identity") == encoding
        assert answer.headers["content-type"].startswith(media_type)
        assert answer.headers["cache-control"] == "no-cache"
        assert "Accept-Encoding" in answer.headers["vary"]

    def test_that_a_browser_has_are_not_sent_again(self, client: TestClient) -> None:
        """Whoever names the newest tag gets none of it; an older tag gets the file."""
        tag = client.get(SCRIPT).headers["etag"]
        again = client.get(SCRIPT, headers={"if-none-match": tag})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert client.get(SCRIPT, headers={"if-none-match": '"older"'}).status_code == 200

    def test_that_are_edited_are_sent_as_they_are_now(
        self, client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A file that changed while the service runs is another one, also where its length is the same."""
        mounted = next(route.app for route in client.app.router.routes if getattr(route, "name", "") == "js")  # type: ignore[attr-defined]
        monkeypatch.setattr(mounted, "all_directories", [tmp_path])
        (tmp_path / "main.js").write_text("one")
        os.utime(tmp_path / "main.js", (1, 1))
        before = client.get(SCRIPT)
        (tmp_path / "main.js").write_text("two")
        after = client.get(SCRIPT, headers={"if-none-match": before.headers["etag"]})
        assert (before.text, after.text) == ("one", "two")

    @pytest.mark.parametrize(
        "path", ["/static/js/nothing.js", "/static/js/core", "/static/js/", "/static/js/..%2findex.html"]
    )
    def test_else_there_is_nothing(self, client: TestClient, path: str) -> None:
        """No folder is listed, nothing beside the folder is reached."""
        assert client.get(path, headers={"accept": "*/*"}).status_code == 404

    def test_are_only_read(self, client: TestClient) -> None:
        """Nothing can be put there."""
        assert client.put(SCRIPT, headers={"origin": "http://127.0.0.1"}).status_code in (403, 405)
        assert client.head(SCRIPT).status_code == 200


class TestADocument:
    def test_names_the_modules_of_its_view(self, client: TestClient) -> None:
        """All that a view begins with is named in the document, so a browser asks at once; nothing of another."""
        document = client.get("/compare").text
        named = re.findall(r'<link rel="modulepreload" href="(/static/js/[^"]+)">', document)
        assert {"/static/js/main.js", "/static/js/compare/page.js", "/static/js/chart/host.js"} <= set(named)
        assert not [path for path in named if path.startswith(("/static/js/run/", "/static/js/launch/"))]
        assert len(named) == len(set(named))
        assert {client.get(path).status_code for path in named} == {200}

    @pytest.mark.parametrize("path", [path.format(run_id=1) for path in VIEWS])
    def test_of_every_view_is_complete(self, client: TestClient, path: str) -> None:
        """Whatever a named module imports is named too."""
        named = re.findall(r'"modulepreload" href="/static/js/([^"]+)"', client.get(path).text)
        for name in named:
            script = (FRONTEND / "js" / name).read_text()
            for word in re.findall(r'from "(\.[^"]+)"', script):
                assert ((FRONTEND / "js" / name).parent / word).resolve().relative_to(
                    FRONTEND / "js"
                ).as_posix() in named
