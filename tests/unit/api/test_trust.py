import re
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient
from pydantic import SecretStr, ValidationError

from backend.app import create_app
from backend.settings import Settings
from tests.unit.api.conftest import BASE_URL

TOKEN = "a secret of enough length"
WITHOUT_TOKEN = {"/api/session", "/api/health/live"}


@pytest.fixture
def guarded_app(settings: Settings) -> Iterator[FastAPI]:
    app = create_app(settings.model_copy(update={"token": SecretStr(TOKEN)}))
    yield app
    app.state.lab.database.close()


@pytest.fixture
def guarded(guarded_app: FastAPI) -> Iterator[TestClient]:
    with TestClient(guarded_app, base_url=BASE_URL) as client:
        yield client


def paths_and_methods(app: FastAPI) -> set[tuple[str, str]]:
    found = set()
    for context in iter_route_contexts(app.routes):
        path = re.sub(r"\{[^}]*\}", "1", context.path or "")
        found |= {(path, method) for method in context.methods or {"GET"}}
    return found


class TestTheToken:
    def test_is_asked_for_on_every_route(self, guarded_app: FastAPI, guarded: TestClient) -> None:
        """While a token is set, no route but login, the live check and the page's static files answers without it."""
        walked = paths_and_methods(guarded_app)
        assert len(walked) > 25
        opened = {
            path
            for path, method in walked
            if not path.startswith("/static/") and guarded.request(method, path).status_code != 401
        }
        assert opened == WITHOUT_TOKEN

    def test_opens_as_bearer_header(self, guarded: TestClient) -> None:
        """The right secret in the header opens; a wrong one, another scheme or none does not."""
        assert guarded.get("/api/runs", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
        for header in ("Bearer wrong", f"Basic {TOKEN}", TOKEN, "Bearer"):
            assert guarded.get("/api/runs", headers={"Authorization": header}).status_code == 401

    def test_opens_as_cookie_after_login(self, guarded: TestClient) -> None:
        """A login gives a cookie that no script reads and no foreign page sends; it does not hold the secret."""
        answer = guarded.post("/api/session", json={"token": TOKEN})
        cookie = answer.headers["set-cookie"]
        assert answer.status_code == 204
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert TOKEN not in cookie
        assert guarded.get("/api/runs").status_code == 200

    def test_is_asked_for_by_the_page(self, guarded: TestClient) -> None:
        """A browser without the token gets the page, which holds no data, as a 401; a script gets a sentence."""
        page, api = guarded.get("/runs/1"), guarded.get("/api/runs")
        assert (page.status_code, page.headers["content-type"]) == (401, "text/html; charset=utf-8")
        assert api.json()["error"]["code"] == "token_needed"

    def test_is_not_guessed_quickly(self, guarded: TestClient) -> None:
        """After ten wrong logins within a minute the eleventh, even a right one, must wait."""
        codes = [guarded.post("/api/session", json={"token": f"wrong {n}"}).status_code for n in range(10)]
        assert codes == [401] * 10
        assert guarded.post("/api/session", json={"token": TOKEN}).status_code == 429

    @pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::"])
    def test_is_required_beyond_loopback(self, host: str) -> None:
        """An address that others can reach is refused without a token, and accepted with one."""
        with pytest.raises(ValidationError, match="LAB_TOKEN"):
            Settings(host=host)
        assert Settings(host=host, token=SecretStr(TOKEN)).host == host


class TestTheHost:
    @pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "localhost.evil", "[::2]", "a b"])
    def test_must_be_a_known_name(self, client: TestClient, host: str) -> None:
        """A request for another name is refused, page and stream included, also without an Origin."""
        for path in ("/", "/api/runs", "/api/stream"):
            answer = client.get(path, headers={"Host": host})
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unknown_host")

    @pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1:9", "[::1]:8000", "LOCALHOST"])
    def test_may_be_any_name_of_loopback(self, client: TestClient, host: str) -> None:
        """The names of this machine answer, on any port."""
        assert client.get("/api/runs", headers={"Host": host}).status_code == 200

    def test_may_be_allowed_by_name(self, settings: Settings) -> None:
        """A name in LAB_ALLOWED_HOSTS answers."""
        settings = settings.model_copy(update={"allowed_hosts": "lab.example, other"})
        with TestClient(create_app(settings), base_url="http://lab.example") as client:
            assert client.get("/api/runs").status_code == 200


class TestTheOrigin:
    @pytest.mark.parametrize(
        "headers",
        [
            {"Origin": "http://evil.example"},
            {"Origin": "null"},
            {"Origin": "http://127.0.0.1:9999"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
        ],
    )
    def test_of_a_foreign_page_changes_nothing(self, client: TestClient, headers: dict[str, str]) -> None:
        """A page from elsewhere may not launch."""
        assert client.post("/api/runs", json={}, headers=headers).status_code == 403
        assert client.get("/api/runs").json()["total"] == 0

    def test_of_the_own_page_or_a_script_does(self, client: TestClient) -> None:
        """The page itself and scripts without an Origin may launch."""
        for headers in ({"Origin": BASE_URL, "Sec-Fetch-Site": "same-origin"}, {}):
            assert client.post("/api/runs", json={}, headers=headers).status_code == 201


class TestTheHeaders:
    @pytest.mark.parametrize("path", ["/", "/api/runs", "/api/nothing", "/static/plotly.min.js", "/api/docs"])
    def test_are_on_every_answer(self, client: TestClient, path: str) -> None:
        """Each answer carries the content policy and forbids sniffing and framing."""
        headers = client.get(path).headers
        assert "default-src 'none'; script-src 'self'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"

    def test_docs_name_nothing_outside(self, client: TestClient) -> None:
        """The interactive documentation loads local files only, and each of them is there."""
        text = client.get("/api/docs").text
        assert "http" not in text.replace("<!doctype html>", "")
        for path in ("/static/swagger-ui.js", "/static/swagger-ui.css", "/static/js/api-docs.js", "/api/openapi.json"):
            assert client.get(path).status_code == 200


class TestUnknownAddresses:
    def test_give_a_browser_the_page_and_a_script_json(self, client: TestClient) -> None:
        """Who mistyped an address sees a page that says so; a script, or a wrong path of the API, gets the sentence."""
        page = client.get("/zzz", headers={"Accept": "text/html,*/*"})
        assert page.status_code == 404
        assert page.headers["content-type"].startswith("text/html")
        assert "default-src" in page.headers["content-security-policy"]
        for path, accept in (("/zzz", "*/*"), ("/api/zzz", "text/html"), ("/static/zzz.js", "text/html")):
            answer = client.get(path, headers={"Accept": accept})
            assert answer.status_code == 404
            assert answer.json()["error"]["message"] == f"There is nothing at {path}."
