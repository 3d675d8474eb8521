"""From errors to HTTP: the one place that knows both. Every answer that is no success has the same form."""

import errno
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy import exc
from starlette.exceptions import HTTPException

from backend import errors
from backend.api.pages import not_found_page
from backend.api.schemas.base import ErrorAnswer, FieldProblem, Problem
from backend.api.schemas.launch import LaunchRequest
from backend.api.trust import MAX_BODY_BYTES, SECURITY_HEADERS
from backend.contract import TrainConfig
from backend.db.engine import is_disk_full

log = logging.getLogger(__name__)

STATUS: Mapping[type[errors.LabError], tuple[int, str]] = {
    errors.BadRequest: (422, "bad_request"),
    errors.BadFilter: (422, "bad_filter"),
    errors.BadCursor: (422, "bad_cursor"),
    errors.NotFound: (404, "not_found"),
    errors.StepNotAllowed: (409, "step_not_allowed"),
    errors.DatasetNotHere: (409, "dataset_not_here"),
    errors.WorkFailed: (409, "work_failed"),
    errors.KeyReused: (422, "key_reused"),
    errors.AttemptSuperseded: (409, "changed_meanwhile"),
    errors.TooManyStreams: (429, "too_many_streams"),
}
RETRY_AFTER_S = 5  # when who found no place for a stream, or no database, may ask again
_SHOWN_LENGTH = 60
_FIELD_NAMES = frozenset(TrainConfig.model_fields) | frozenset(LaunchRequest.model_fields)


def problem(status: int, code: str, message: str, fields: Sequence[FieldProblem] = ()) -> JSONResponse:
    """The answer that says what went wrong."""
    body = ErrorAnswer(error=Problem(code=code, message=message, fields=list(fields)))
    return JSONResponse(body.model_dump(), status_code=status)


def install(app: FastAPI) -> None:
    """Let the app answer every error in the one form."""

    @app.exception_handler(errors.LabError)
    def lab_error(_request: Request, error: errors.LabError) -> JSONResponse:
        return _lab_problem(error)

    @app.exception_handler(RequestValidationError)
    def validation_error(_request: Request, error: RequestValidationError) -> JSONResponse:
        # A value that fits none of several types is reported once for each of them: the first is enough.
        fields = list({found.field: found for found in map(_field_problem, reversed(error.errors()))}.values())[::-1]
        first = fields[0]
        sent = f" (sent: {first.value})" if first.value is not None else ""
        more = f" {len(fields) - 1} more like this." if len(fields) > 1 else ""
        return problem(422, "invalid", f"{first.field}: {first.message}{sent}.{more}", fields)

    @app.exception_handler(HTTPException)
    def http_error(request: Request, error: HTTPException) -> Response:
        if error.status_code == 404:  # noqa: PLR2004
            if _is_from_address_bar(request):
                return not_found_page()
            return problem(404, "not_found", f"There is nothing at {printable(request.url.path)}.")
        if error.status_code == 405:  # noqa: PLR2004
            answer = problem(405, "wrong_method", f"{request.method} is not known at {printable(request.url.path)}.")
            answer.headers.update(error.headers or {})
            return answer
        if error.status_code == 413:  # noqa: PLR2004
            return problem(413, "body_too_long", f"The body is longer than {MAX_BODY_BYTES} bytes; send less.")
        if error.status_code == 400:  # noqa: PLR2004  (FastAPI's word for a body that is no JSON)
            return problem(422, "invalid", "The request's body is not JSON that can be read; check it.")
        return problem(error.status_code, "http_error", str(error.detail))

    _install_machine_errors(app)

    @app.exception_handler(Exception)
    def unexpected(_request: Request, error: Exception) -> JSONResponse:
        log.error("Unexpected error", exc_info=error)
        answer = problem(500, "internal", "Something went wrong here; the service's log says what.")
        # This answer is made outside of all middleware, which would have added them.
        answer.headers.update(SECURITY_HEADERS)
        return answer


def _install_machine_errors(app: FastAPI) -> None:
    for kind in (exc.OperationalError, exc.InterfaceError, exc.TimeoutError):
        app.add_exception_handler(kind, _database_problem)
    app.add_exception_handler(OSError, _no_room)


def _lab_problem(error: errors.LabError) -> JSONResponse:
    status, code = next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), (500, "internal"))
    answer = problem(status, code, str(error))
    if isinstance(error, errors.TooManyStreams):
        answer.headers["retry-after"] = str(RETRY_AFTER_S)
    return answer


async def _database_problem(request: Request, error: Exception) -> JSONResponse:
    if is_disk_full(error):
        return await _no_room(request, OSError(errno.ENOSPC, str(error)))
    log.warning("The database did not do its work: %s", error)
    answer = problem(
        503,
        "database_away",
        "The database does not answer, or is busy for too long: nothing was changed, and what trains goes on. "
        f"Try again in {RETRY_AFTER_S} s; /api/health/ready and the service's log say more.",
    )
    answer.headers["retry-after"] = str(RETRY_AFTER_S)
    return answer


async def _no_room(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, OSError) or error.errno not in (errno.ENOSPC, errno.EDQUOT):
        raise error
    log.error("The disk is full: %s", error)
    return problem(
        507,
        "disk_full",
        "The disk on which the database or the data folder lies is full, so nothing was changed. "
        "Make room there, by removing runs from the trash for good, for instance, and try again.",
    )


def _is_from_address_bar(request: Request) -> bool:
    is_page = not request.url.path.startswith(("/api/", "/static/"))
    return request.method == "GET" and is_page and "text/html" in request.headers.get("accept", "")


def printable(value: object) -> str:
    """A value as it was sent, shortened, and free of what JSON or a page can't carry."""
    text = value if isinstance(value, str) else repr(value)
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]}… ({len(text)} characters)"


def _field_problem(entry: Mapping[str, Any]) -> FieldProblem:
    place = [str(part) for part in entry["loc"] if part not in ("body", "query", "path", "header")]
    # Pydantic adds the name of the type that it tried, which nobody has sent.
    place = [part for part in place if not part.startswith(("constrained-", "list["))]
    kind, message = entry["type"], str(entry["msg"]).removeprefix("Value error, ")
    if kind == "json_invalid":
        return FieldProblem(field="body", message=f"is not JSON: {printable(entry['ctx']['error'])}", value=None)
    if kind == "extra_forbidden":
        return FieldProblem(field=printable(".".join(place)), message="there is no such field", value=None)
    if kind == "value_error" and message.split()[0] in _FIELD_NAMES:
        place.append(message.split()[0])
    shown = kind not in ("missing", "value_error") and not isinstance(entry.get("input"), dict)
    return FieldProblem(
        field=printable(".".join(place) or "body"),
        message=message.encode("utf-8", "backslashreplace").decode().removesuffix("."),
        value=printable(entry.get("input")) if shown else None,
    )
