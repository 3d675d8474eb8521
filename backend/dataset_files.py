"""Which files of a data set lie in the data folder. None of them is opened here: workers read them."""

import hashlib
from pathlib import Path

from backend.contract import DatasetSpec


def missing(spec: DatasetSpec, datasets_dir: Path) -> list[str]:
    """The names of the files that are there neither as served nor unpacked."""
    folder = datasets_dir / spec.name
    return [file.name for file in spec.files if not any(_is_there(folder / name) for name in file.accepted_names)]


def fingerprint(spec: DatasetSpec, datasets_dir: Path) -> str:
    """SHA-256 of names, sizes and times of the files: another one wherever a file was replaced."""
    digest = hashlib.sha256()
    for path in sorted((datasets_dir / spec.name).rglob("*")):
        if path.is_file() and not path.name.startswith("."):
            status = path.stat()
            digest.update(f"{path.name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a folder that may not be looked into
        return False
