import hashlib
import multiprocessing
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from backend.contract import DatasetFile
from backend.errors import DatasetMissing, DownloadFailed
from tests.unit.datasets.host import Host, closed_address
from worker.datasets import download

HTTP = frozenset({"http"})
NAME = "images.gz"


def file_of(*urls: str, content: bytes = b"") -> DatasetFile:
    """A file that is known by the MD5 of its content."""
    return DatasetFile(name=NAME, md5=hashlib.md5(content).hexdigest(), urls=urls, unpacked="images")


def served(*hosts: Host) -> DatasetFile:
    """What the hosts serve, in their order."""
    return file_of(*(host.url(NAME) for host in hosts), content=hosts[0].content)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def ignore(_: str) -> None:
    pass


def fetch(file: DatasetFile, folder: Path, report: Callable[[str], None] = ignore) -> Path:
    return download.fetch(file, folder, report, schemes=HTTP)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data set's folder that is not there yet."""
    return tmp_path / "data" / "mnist"


class TestFetch:
    def test_gives_the_whole_file(self, host: Host, folder: Path) -> None:
        """The file stands under its name in a folder made for it, byte by byte, and nothing is left beside it."""
        path = fetch(served(host), folder)
        assert path == folder / NAME
        assert path.read_bytes() == host.content
        assert names(folder) == [NAME]

    def test_of_a_length_that_is_not_told(self, host: Host, folder: Path) -> None:
        """A host that does not say how much will come is believed once the checksum is right."""
        host.length_told = False
        told: list[str] = []
        assert fetch(served(host), folder, told.append).read_bytes() == host.content
        assert told == ["downloading mnist/images.gz: 0.3 MB"]

    def test_tells_how_far_it_is(self, host: Host, folder: Path) -> None:
        """Progress names data set, file, and megabytes done and in all; at most once a second."""
        told: list[str] = []
        fetch(served(host), folder, told.append)
        assert told == ["downloading mnist/images.gz: 0.3 of 0.7 MB"]

    def test_refuses_what_is_not_the_file(self, host: Host, folder: Path) -> None:
        """With the wrong checksum nothing stays: neither the file nor what came in its place."""
        expected = served(host)
        host.content = b"<html>Please log in</html>"
        with pytest.raises(DownloadFailed, match=r"as images\.gz is not that file: its MD5 is [0-9a-f]{32}, not "):
            fetch(expected, folder)
        assert names(folder) == []

    def test_goes_on_where_it_broke_off(self, host: Host, folder: Path) -> None:
        """What had come is kept under another name, and the next try asks only for the rest."""
        host.break_after = 300_000
        with pytest.raises(DatasetMissing, match="broke off after 300000 of 700000 bytes"):
            fetch(served(host), folder)
        assert names(folder) == [f"{NAME}.part"]
        host.break_after = None
        assert fetch(served(host), folder).read_bytes() == host.content
        assert [wanted for _, wanted in host.asked] == [None, "bytes=300000-"]
        assert names(folder) == [NAME]

    def test_goes_on_at_another_host(self, host: Host, second_host: Host, folder: Path) -> None:
        """What one host gave before it hung up is completed by the next."""
        host.break_after = 500_000
        assert fetch(served(host, second_host), folder).read_bytes() == host.content
        assert [wanted for _, wanted in second_host.asked] == ["bytes=500000-"]

    def test_begins_anew_where_a_host_cannot_go_on(self, host: Host, folder: Path) -> None:
        """A host without ranges sends all from the start, and what was there before is not added to it."""
        folder.mkdir(parents=True)
        (folder / f"{NAME}.part").write_bytes(host.content[:400_000])
        host.ranges = False
        told: list[str] = []
        assert fetch(served(host), folder, told.append).read_bytes() == host.content
        assert [wanted for _, wanted in host.asked] == ["bytes=400000-"]
        assert told == ["downloading mnist/images.gz: 0.3 of 0.7 MB"]

    def test_takes_what_had_come_whole(self, host: Host, folder: Path) -> None:
        """A download that was complete but not yet named is verified and named."""
        folder.mkdir(parents=True)
        (folder / f"{NAME}.part").write_bytes(host.content)
        assert fetch(served(host), folder).read_bytes() == host.content

    def test_on_a_full_disk_ends_with_a_sentence(self, host: Host, second_host: Host, folder: Path) -> None:
        """What can't be stored is no fault of its host: no other is asked, and nothing of the file is left."""
        folder.mkdir(parents=True)
        (folder / f"{NAME}.part").symlink_to("/dev/full")  # a device that has no room for any byte
        sentence = f"^{NAME} can't be stored in {folder}: No space left on device. Make room"
        with pytest.raises(DownloadFailed, match=sentence):
            fetch(served(host, second_host), folder)
        assert names(folder) == []
        assert second_host.asked == []

    def test_counts_its_bytes(self, host: Host, folder: Path) -> None:
        """It tells file, bytes that have come and bytes in all, at least once and at the end."""
        counted: list[download.Transferred] = []
        download.fetch(served(host), folder, ignore, count=counted.append, schemes=HTTP)
        assert counted[-1] == download.Transferred(NAME, 700_000, 700_000)
        assert [one.bytes_done for one in counted] == sorted(one.bytes_done for one in counted)

    def test_never_goes_on_from_rubbish_for_ever(self, host: Host, folder: Path) -> None:
        """A wrong beginning is found by the checksum and removed, so that the next try succeeds."""
        folder.mkdir(parents=True)
        (folder / f"{NAME}.part").write_bytes(bytes(1000))
        with pytest.raises(DownloadFailed, match="its MD5 is"):
            fetch(served(host), folder)
        assert fetch(served(host), folder).read_bytes() == host.content

    def test_stops_at_far_too_much(self, host: Host, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A host that sends without end fills no disk, and what it sent is removed."""
        monkeypatch.setattr(download, "MAX_BYTES", 100_000)
        with pytest.raises(DownloadFailed, match="gives more than 100000 bytes"):
            fetch(served(host), folder)
        assert names(folder) == []


class TestHosts:
    def test_that_are_down_are_passed_over(self, host: Host, folder: Path) -> None:
        """The first address at which nobody answers is followed by the second."""
        file = file_of(closed_address(NAME), host.url(NAME), content=host.content)
        assert fetch(file, folder).read_bytes() == host.content

    @pytest.mark.parametrize("status", [403, 404, 500, 503])
    def test_that_refuse_are_passed_over(self, host: Host, second_host: Host, folder: Path, status: int) -> None:
        """A host that answers with an error is followed by the next one."""
        host.status = status
        assert fetch(served(host, second_host), folder).read_bytes() == host.content
        assert len(second_host.asked) == 1

    @pytest.mark.parametrize(
        "raw",
        [
            b"",
            b"rubbish\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nabc",
            b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        ],
    )
    def test_that_do_not_speak_http_are_passed_over(
        self, host: Host, second_host: Host, folder: Path, raw: bytes
    ) -> None:
        """Whatever comes instead of an answer, the next host is asked."""
        host.raw = raw
        assert fetch(served(host, second_host), folder).read_bytes() == second_host.content

    def test_that_all_fail_are_all_named(self, host: Host, folder: Path) -> None:
        """Without a network the sentence says which file to put into which folder, and what each host answered."""
        host.status = 404
        file = file_of(closed_address(NAME), host.url(NAME))
        sentence = (
            rf"^images\.gz is not in {folder.resolve()} and can't be downloaded "
            r"\(127\.0\.0\.1: .*refused.*; 127\.0\.0\.1: Not Found\)\. Put the file there\.$"
        )
        with pytest.raises(DatasetMissing, match=sentence):
            fetch(file, folder)
        assert names(folder) == []

    @pytest.mark.parametrize("scheme", ["http", "ftp", "file"])
    def test_without_encryption_are_not_asked(self, host: Host, folder: Path, scheme: str) -> None:
        """Unless it is allowed, only https is spoken, and no file of this machine is read."""
        url = host.url(NAME).replace("http", scheme)
        with pytest.raises(DownloadFailed, match=f"^{url} is not fetched: only https addresses are"):
            download.fetch(file_of(url), folder, ignore)
        assert host.asked == []


class TestFindOrFetch:
    def test_takes_what_is_there(self, folder: Path) -> None:
        """A file that is there is not asked for, whatever it holds; the folder is not written to."""
        folder.mkdir(parents=True)
        (folder / NAME).write_bytes(b"mine")
        assert download.find_or_fetch([file_of(closed_address(NAME))], folder, ignore) == [folder / NAME]
        assert names(folder) == [NAME]

    def test_prefers_what_was_unpacked(self, folder: Path) -> None:
        """Where both are there the unpacked one is taken: a user put it there."""
        folder.mkdir(parents=True)
        for name in (NAME, "images"):
            (folder / name).write_bytes(b"mine")
        assert download.find_or_fetch([file_of(closed_address(NAME))], folder, ignore) == [folder / "images"]

    def test_fetches_only_what_is_missing(self, host: Host, folder: Path) -> None:
        """Of two files one of which is there, the other is fetched; the order stays."""
        folder.mkdir(parents=True)
        (folder / "labels").write_bytes(b"mine")
        labels = DatasetFile(name="labels.gz", md5="", urls=(closed_address(NAME),), unpacked="labels")
        found = download.find_or_fetch([labels, served(host)], folder, ignore, schemes=HTTP)
        assert found == [folder / "labels", folder / NAME]
        assert host.asked == [(f"/{NAME}", None)]

    def test_by_two_threads_at_once_fetches_once(self, host: Host, folder: Path) -> None:
        """The second of two runs says that it waits, and takes the file that the first has fetched."""
        first_asks, second_waits = threading.Event(), threading.Event()
        found: list[Path] = []
        told: list[str] = []

        def answer_late() -> None:
            first_asks.set()
            second_waits.wait(30)

        def tell(text: str) -> None:
            told.append(text)
            second_waits.set()

        def run() -> None:
            found.extend(download.find_or_fetch([served(host)], folder, tell, schemes=HTTP))

        host.before = answer_late
        threads = [threading.Thread(target=run) for _ in range(2)]
        threads[0].start()
        assert first_asks.wait(30)
        threads[1].start()
        for thread in threads:
            thread.join(60)
        assert found == [folder / NAME] * 2
        assert len(host.asked) == 1
        assert told[0] == "waiting for another run that is fetching mnist"

    def test_by_processes_at_once_fetches_once(self, host: Host, folder: Path) -> None:
        """Runs are processes: of three that begin together one asks the host."""
        context = multiprocessing.get_context("spawn")
        runs = [context.Process(target=_fetch_as_a_run, args=(served(host), folder)) for _ in range(3)]
        for run in runs:
            run.start()
        for run in runs:
            run.join(60)
        assert [run.exitcode for run in runs] == [0, 0, 0]
        assert len(host.asked) == 1
        assert (folder / NAME).read_bytes() == host.content

    def test_after_a_run_that_was_killed_goes_on(self, host: Host, folder: Path) -> None:
        """A process that dies while it fetches leaves no lock behind that would hold up the next one."""
        asks, dead = threading.Event(), threading.Event()

        def answer_late() -> None:
            asks.set()
            dead.wait(30)

        host.before = answer_late
        run = multiprocessing.get_context("spawn").Process(target=_fetch_as_a_run, args=(served(host), folder))
        run.start()
        assert asks.wait(60)
        run.kill()
        run.join(60)
        dead.set()
        assert download.find_or_fetch([served(host)], folder, ignore, schemes=HTTP) == [folder / NAME]
        assert len(host.asked) == 2


def _fetch_as_a_run(file: DatasetFile, folder: Path) -> None:
    download.find_or_fetch([file], folder, ignore, schemes=HTTP)
