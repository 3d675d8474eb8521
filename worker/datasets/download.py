"""Fetching a data set's files: whole, verified, and never half-written under their final name."""

import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from backend.contract import DatasetFile
from backend.errors import DatasetMissing, DownloadFailed

Report = Callable[[str], None]

TIMEOUT_S = 20.0  # without a byte
PIECE_BYTES = 256 * 1024
REPORT_S = 1.0
MAX_BYTES = 1024 * 1024 * 1024
MEGABYTE = 1e6

LOCK = ".lock"  # held by the one process that writes into a data set's folder
LOCK_POLL_S = 0.5


def find_or_fetch(
    files: Sequence[DatasetFile], folder: Path, report: Report, *, schemes: frozenset[str] = frozenset({"https"})
) -> list[Path]:
    """Where each file is: as served or unpacked in the folder, or downloaded into it now.

    Two runs that want the same file fetch it once: the second waits for the first.

    Args:
        files: of one data set.
        folder: of that data set; made if a file must be fetched.
        report: told in words how a download goes on.
        schemes: of the addresses that may be asked.

    Raises:
        DatasetMissing, DownloadFailed: as `fetch`.
    """
    if all(_find(file, folder) for file in files):
        return [path for file in files if (path := _find(file, folder))]
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder, report):
        return [_find(file, folder) or fetch(file, folder, report, schemes=schemes) for file in files]


def _find(file: DatasetFile, folder: Path) -> Path | None:
    here = [folder / name for name in file.accepted_names if (folder / name).exists()]
    return here[-1] if here else None  # what the user unpacked comes before what was packed


@contextmanager
def _alone(folder: Path, report: Report) -> Iterator[None]:
    with (folder / LOCK).open("w") as lock:
        told_at = 0.0
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() - told_at >= REPORT_S:
                    told_at = time.monotonic()
                    report(f"waiting for another run that is fetching {folder.name}")
                time.sleep(LOCK_POLL_S)
        yield


def fetch(file: DatasetFile, folder: Path, report: Report, *, schemes: frozenset[str] = frozenset({"https"})) -> Path:
    """The file, downloaded into the folder from the first address that gives it whole.

    A download that broke off goes on where it was. The file gets its name only after its checksum was right.

    Args:
        file: what to fetch.
        folder: where to; made if it is not there.
        report: told about once a second, in words for the user, how far it is.
        schemes: of the addresses that may be asked; tests allow plain HTTP.

    Raises:
        DatasetMissing: no address answers; the message says which file to put where.
        DownloadFailed: what came is not the file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{file.name}.part"
    reasons = []
    for url in file.urls:
        if urlsplit(url).scheme not in schemes:
            raise DownloadFailed(f"{url} is not fetched: only {' and '.join(sorted(schemes))} addresses are.")
        try:
            _fetch_from(url, part, f"downloading {folder.name}/{file.name}", report)
        except (OSError, HTTPException) as error:
            reasons.append(f"{urlsplit(url).hostname}: {getattr(error, 'reason', None) or error}")
            continue
        return _adopt(part, folder / file.name, file.md5)
    raise DatasetMissing(
        f"{file.name} is not in {folder.resolve()} and can't be downloaded ({'; '.join(reasons)}). Put the file there."
    )


def _fetch_from(url: str, part: Path, doing: str, report: Report) -> None:
    have = part.stat().st_size if part.exists() else 0
    request = Request(url, headers={"Range": f"bytes={have}-"} if have else {})  # noqa: S310  (the scheme was checked)
    try:
        answer = urlopen(request, timeout=TIMEOUT_S)  # noqa: S310
    except HTTPError as error:
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # all of it is here already; its checksum will tell
        raise
    with answer:
        goes_on = answer.status == HTTPStatus.PARTIAL_CONTENT
        have = have if goes_on else 0
        length = answer.headers.get("Content-Length")
        total = have + int(length) if length and length.isdecimal() else None
        told_at = 0.0
        with part.open("ab" if goes_on else "wb") as output:
            while piece := answer.read(PIECE_BYTES):
                have += output.write(piece)
                if have > MAX_BYTES:
                    part.unlink()  # or every later download would go on from it
                    raise DownloadFailed(f"{url} gives more than {MAX_BYTES} bytes and is not what it should be.")
                if time.monotonic() - told_at >= REPORT_S:
                    told_at = time.monotonic()
                    report(f"{doing}: {have / MEGABYTE:.1f}{f' of {total / MEGABYTE:.1f}' if total else ''} MB")
            output.flush()
            os.fsync(output.fileno())
    if total is not None and have != total:
        raise OSError(f"broke off after {have} of {total} bytes")


def _adopt(part: Path, path: Path, md5: str) -> Path:
    with part.open("rb") as content:
        found = hashlib.file_digest(content, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if found != md5:
        part.unlink()
        raise DownloadFailed(f"What was downloaded as {path.name} is not that file: its MD5 is {found}, not {md5}.")
    part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return path
