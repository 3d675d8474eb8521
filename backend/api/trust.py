"""What stands before every route: who may ask, by which name, and from which page."""

import hashlib
import hmac
import time
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders

from backend.settings import LOOPBACK_HOSTS, Settings

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Refuse = Callable[[int, str, str], App]

MAX_BODY_BYTES = 64 * 1024  # the largest sensible launch has a tenth of it
SESSION_COOKIE = "lab_session"
MAX_FAILED_LOGINS_PER_MINUTE = 10
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_WITHOUT_TOKEN = frozenset({"/api/session", "/api/health/live"})
_STATIC = "/static/"
TOKEN_NEEDED = 401

SECURITY_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


class Access:
    """Checks the shared secret, as it is or as the cookie that a login gives."""

    def __init__(self, token: str) -> None:
        self._token = token
        self.cookie_value = hmac.new(token.encode(), b"backprop-lab session", hashlib.sha256).hexdigest()
        self._failures: deque[float] = deque(maxlen=MAX_FAILED_LOGINS_PER_MINUTE)

    def holds_token(self, token: str) -> bool:
        """Whether this is the secret; the time that the answer takes tells nothing of it."""
        return hmac.compare_digest(token.encode(), self._token.encode())

    def allows(self, headers: Headers) -> bool:
        """Whether a request shows the secret or the cookie."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.holds_token(token.strip()):
            return True
        try:
            morsel = SimpleCookie(headers.get("cookie", "")).get(SESSION_COOKIE)
        except CookieError:
            return False
        return morsel is not None and hmac.compare_digest(morsel.value.encode(), self.cookie_value.encode())

    def may_try(self) -> bool:
        """Whether another login may be tried: at most ten fail within a minute."""
        full = len(self._failures) == MAX_FAILED_LOGINS_PER_MINUTE
        return not (full and time.monotonic() - self._failures[0] < 60)  # noqa: PLR2004  (a minute)

    def note_failure(self) -> None:
        """A login has failed."""
        self._failures.append(time.monotonic())


class TrustMiddleware:
    """Refuses unknown hosts, foreign pages, missing tokens; adds the security headers."""

    def __init__(
        self, app: App, settings: Settings, access: Access | None, refuse: Refuse, login_page: Callable[[], App]
    ) -> None:
        self._app = app
        self._access = access
        self._refuse = refuse
        self._login_page = login_page
        named = {name.strip().lower() for name in settings.allowed_hosts.split(",") if name.strip()}
        self._hosts = LOOPBACK_HOSTS | {settings.host.lower()} | named

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer why not."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            shows_login = refusal[0] == TOKEN_NEEDED and not scope["path"].startswith("/api/")
            answer = self._login_page() if shows_login else self._refuse(*refusal)
            await answer(scope, receive, send_with_headers)
            return
        await self._app(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope, headers: Headers) -> tuple[int, str, str] | None:
        host = headers.get("host", "")
        if _host_name(host) not in self._hosts:
            return (
                400,
                "unknown_host",
                f"This service is not asked for as {host[:100]!r}; add the name to LAB_ALLOWED_HOSTS if it should be.",
            )
        if scope["method"] not in _SAFE_METHODS and not self._is_own_page(headers, host):
            origin = headers.get("origin", "")[:100]
            return 403, "foreign_origin", f"A page of {origin!r} may not change anything here."
        if int(headers.get("content-length", "0")[:20]) > MAX_BODY_BYTES:
            return 413, "body_too_long", f"The body is longer than {MAX_BODY_BYTES} bytes; send less."
        if self._access is None or self._access.allows(headers) or _is_open(scope["path"]):
            return None
        return TOKEN_NEEDED, "token_needed", "This service needs its token: log in, or send it as a bearer header."

    def _is_own_page(self, headers: Headers, host: str) -> bool:
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return False
        origin = headers.get("origin")
        # Scripts send no Origin. A page's must be this service's own, under a name that was checked above.
        return origin is None or (urlsplit(origin).netloc.lower() == host.lower() and origin != "null")


def _is_open(path: str) -> bool:
    """Whether a path answers without a token: what a login page is made of, and logging in itself."""
    return path in _WITHOUT_TOKEN or path.startswith(_STATIC)


def _host_name(host: str) -> str:
    """The name in a Host header, without its port and, for IPv6, its brackets."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""
