"""Fetching a data set's files: whole, verified, and never half-written under their final name."""

import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import NamedTuple
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from backend.contract import DatasetFile
from backend.errors import DatasetMissing, DownloadFailed

Report = Callable[[str], None]


class Transferred(NamedTuple):
    """How much of a file has come."""

    file: str
    bytes_done: int
    bytes_total: int | None  # None: its host does not say


Count = Callable[[Transferred], None]

TIMEOUT_S = 20.0  # without a byte
PIECE_BYTES = 256 * 1024
REPORT_S = 1.0
MAX_BYTES = 1024 * 1024 * 1024
MEGABYTE = 1e6
HTTPS = frozenset({"https"})
PART = ".part"  # of a file that has not come whole

LOCK = ".lock"  # held by the one process that writes into a data set's folder
LOCK_POLL_S = 0.5


def find_or_fetch(
    files: Sequence[DatasetFile],
    folder: Path,
    report: Report,
    *,
    count: Count = lambda _: None,
    schemes: frozenset[str] = HTTPS,
) -> list[Path]:
    """Where each file is: as served or unpacked in the folder, or downloaded into it now.

    Two runs that want the same file fetch it once: the second waits for the first.

    Args:
        files: of one data set.
        folder: of that data set; made if a file must be fetched.
        report: told in words how a download goes on.
        count: told the same in numbers.
        schemes: of the addresses that may be asked.

    Raises:
        DatasetMissing, DownloadFailed: as `fetch`.
    """
    if all(_find(file, folder) for file in files):
        return [path for file in files if (path := _find(file, folder))]
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder, report):
        return [_find(file, folder) or fetch(file, folder, report, count=count, schemes=schemes) for file in files]


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


def fetch(
    file: DatasetFile,
    folder: Path,
    report: Report,
    *,
    count: Count = lambda _: None,
    schemes: frozenset[str] = HTTPS,
) -> Path:
    """The file, downloaded into the folder from the first address that gives it whole.

    A download that broke off goes on where it was. The file gets its name only after its checksum was right.

    Args:
        file: what to fetch.
        folder: where to; made if it is not there.
        report: told about once a second, in words for the user, how far it is.
        count: told the same in numbers, and at the file's end.
        schemes: of the addresses that may be asked; tests allow plain HTTP.

    Raises:
        DatasetMissing: no address answers; the message says which file to put where.
        DownloadFailed: what came is not the file, or it can't be stored; nothing of it is left.
    """
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{file.name}{PART}"
    reasons = []
    for url in file.urls:
        if urlsplit(url).scheme not in schemes:
            raise DownloadFailed(f"{url} is not fetched: only {' and '.join(sorted(schemes))} addresses are.")
        try:
            _fetch_from(url, part, _Listener(file.name, folder.name, report, count))
        except (OSError, HTTPException) as error:
            reasons.append(f"{urlsplit(url).hostname}: {getattr(error, 'reason', None) or error}")
            continue
        return _adopt(part, folder / file.name, file.md5)
    raise DatasetMissing(
        f"{file.name} is not in {folder.resolve()} and can't be downloaded ({'; '.join(reasons)}). Put the file there."
    )


class _Listener:
    """Tells how far a file is, at most once every `REPORT_S`."""

    def __init__(self, name: str, dataset: str, report: Report, count: Count) -> None:
        self._name = name
        self._dataset = dataset
        self._report = report
        self._count = count
        self._told_at = 0.0

    def tell(self, done: int, total: int | None, *, ended: bool = False) -> None:
        """So many bytes have come, of so many."""
        if not ended and time.monotonic() - self._told_at < REPORT_S:
            return
        self._told_at = time.monotonic()
        self._count(Transferred(self._name, done, total))
        if not ended:
            of_total = f" of {total / MEGABYTE:.1f}" if total else ""
            self._report(f"downloading {self._dataset}/{self._name}: {done / MEGABYTE:.1f}{of_total} MB")


def _fetch_from(url: str, part: Path, listener: _Listener) -> None:
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
        with _storing(part), part.open("ab" if goes_on else "wb") as output:
            while piece := _read(answer):
                have += output.write(piece)
                if have > MAX_BYTES:
                    part.unlink()  # or every later download would go on from it
                    raise DownloadFailed(f"{url} gives more than {MAX_BYTES} bytes and is not what it should be.")
                listener.tell(have, total)
            output.flush()
            os.fsync(output.fileno())
    if total is not None and have != total:
        raise OSError(f"broke off after {have} of {total} bytes")
    listener.tell(have, total, ended=True)


class _HostFailed(Exception):
    """Reading from the host failed, and writing to the disk did not.

    Args:
        reason: what was raised.
    """

    def __init__(self, reason: Exception) -> None:
        super().__init__(str(reason))
        self.reason = reason


def _read(answer: HTTPResponse) -> bytes:
    try:
        return answer.read(PIECE_BYTES)
    except (OSError, HTTPException) as error:
        raise _HostFailed(error) from error


@contextmanager
def _storing(part: Path) -> Iterator[None]:
    """Tell a disk that is full from a host that hangs up: the one ends the download, the other tries the next host."""
    try:
        yield
    except _HostFailed as error:
        raise error.reason from None
    except OSError as error:
        part.unlink(missing_ok=True)
        raise _not_stored(part.name.removesuffix(PART), part.parent, error) from error


def _not_stored(name: str, folder: Path, error: OSError) -> DownloadFailed:
    return DownloadFailed(
        f"{name} can't be stored in {folder.resolve()}: {error.strerror or error}. "
        "Make room, or let the service write there; nothing of the file is left behind."
    )


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
