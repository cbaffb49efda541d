"""`dualnet download`: a release from a server to what the reader expects."""

import hashlib
import io
import re
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from http_server import Served, Server, cut, page, serving, status

from dualnet.cli import main
from dualnet.data.download import dataset
from dualnet.data.download.manifest import FOLDER, lock_downloads
from dualnet.data.download.release import (
    Release,
    RemoteFile,
    compute_digest,
    read_nih_release,
)
from dualnet.data.download.room import plan_room
from dualnet.data.download.transfer import Patience
from dualnet.data.readers import read_records
from dualnet.errors import ConfigError, DownloadError, RecordError, StorageError
from dualnet.jobs.download import DownloadedDataset, download_dataset

TABLES = (
    "Data_Entry_2017_v2020.csv",
    "train_val_list.txt",
    "test_list.txt",
    "BBox_List_2017.csv",
)
HASTE = Patience(tries=3, worthwhile_bytes=100, first_wait_seconds=0, read_seconds=0.5)
ARCHIVES = ("images_001.tar.gz", "images_002.tar.gz", "images_003.tar.gz")


@pytest.fixture
def server(small_phantom: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Serves the phantom as NIH serves its set, in three archives of 30 pictures."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("os.sync", lambda: None)  # waits for all that others write
    pictures = sorted((small_phantom / "images").iterdir())
    with serving() as server:
        for name in TABLES:
            content = (small_phantom / name).read_bytes()
            server.files[f"/{name}"] = Served(content, content_type="text/csv")
        for number, name in enumerate(ARCHIVES):
            chosen = pictures[30 * number : 30 * (number + 1)]
            server.files[f"/{name}"] = Served(pack(chosen))
        yield server


def pack(pictures: list[Path]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz", compresslevel=1) as archive:
        for picture in pictures:
            archive.add(picture, f"images/{picture.name}")
    return stream.getvalue()


def release(server: Server, *, published: bool = True) -> Release:
    def remote(name: str) -> RemoteFile:
        content = server.files[f"/{name}"].content
        return RemoteFile(
            name=name,
            url=server.url(f"/{name}"),
            page="https://example.org",
            num_bytes=len(content) if published else None,
            digest=f"md5:{hashlib.md5(content).hexdigest()}" if published else None,
        )

    return Release(
        tables=tuple(map(remote, TABLES)), archives=tuple(map(remote, ARCHIVES))
    )


def download(
    server: Server, folder: Path, *, published: bool = True, **options: object
) -> DownloadedDataset:
    offered = release(server, published=published)
    return download_dataset("nih", folder, release=offered, patience=HASTE, **options)  # pyright: ignore


def count_requests(server: Server) -> dict[str, int]:
    counts = {path[1:]: len(f.requests) for path, f in server.files.items()}
    return {name: count for name, count in counts.items() if count}


def test_what_comes_is_what_the_reader_expects(
    server: Server, small_phantom: Path, tmp_path: Path
) -> None:
    done = download(server, tmp_path / "nih")
    assert done.complete
    assert done.lines == (
        "4 tables and lists, 3 archives with 90 pictures; came now: 7 files; left out "
        "of archives: 0 files that are no pictures",
        "radiographs in the table: 90; without a picture here: 0",
        f"next: dualnet train --preset xnet --data {tmp_path}/nih --run runs/nih",
    )
    come, original = read_records(tmp_path / "nih"), read_records(small_phantom)
    assert come.table.drop(columns="path").equals(original.table.drop(columns="path"))
    for mine, its in zip(come.table["path"], original.table["path"], strict=True):
        assert Path(mine).read_bytes() == Path(its).read_bytes()
    kept = {path.name for path in (tmp_path / "nih" / FOLDER).iterdir()}
    lists = {f"{name}.pictures.csv" for name in ARCHIVES}
    assert kept == {".lock", "manifest.json", *lists}


def test_a_second_call_asks_the_server_for_nothing(
    server: Server, tmp_path: Path
) -> None:
    download(server, tmp_path)
    before = count_requests(server)
    done = download(server, tmp_path)
    assert count_requests(server) == before == dict.fromkeys([*TABLES, *ARCHIVES], 1)
    assert "with 90 pictures; came now: 0 files" in done.lines[0]


def test_only_some_archives_may_come_and_the_others_later(
    server: Server, tmp_path: Path
) -> None:
    done = download(server, tmp_path, only="1,3")
    assert "2 archives with 60 pictures" in done.lines[0]
    assert "table: 90; without a picture here: 30" in done.lines[1]
    assert "images_002.tar.gz" not in count_requests(server)
    done = download(server, tmp_path)
    assert "3 archives with 90 pictures; came now: 1 files" in done.lines[0]


@pytest.mark.parametrize("harm", ["missing", "cut short"])
def test_an_archive_comes_again_where_a_picture_is_harmed(
    harm: str, server: Server, tmp_path: Path
) -> None:
    download(server, tmp_path)
    picture = sorted((tmp_path / "images").iterdir())[45]
    whole = picture.read_bytes()
    if harm == "missing":
        picture.unlink()
    else:
        picture.write_bytes(whole[:-1])
    download(server, tmp_path)
    assert picture.read_bytes() == whole
    assert count_requests(server)["images_002.tar.gz"] == 2
    assert count_requests(server)["images_001.tar.gz"] == 1


def test_archives_are_kept_on_request_and_used_again(
    server: Server, tmp_path: Path
) -> None:
    download(server, tmp_path, keep_archives=True)
    shutil.rmtree(tmp_path / "images")
    download(server, tmp_path, keep_archives=True)
    assert count_requests(server)["images_001.tar.gz"] == 1
    assert len(list((tmp_path / "images").iterdir())) == 90
    kept = tmp_path / FOLDER / "images_001.tar.gz"
    assert kept.read_bytes() == server.files["/images_001.tar.gz"].content


def test_an_archive_that_a_browser_brought_is_used(
    server: Server, tmp_path: Path
) -> None:
    (tmp_path / FOLDER).mkdir()
    content = server.files["/images_002.tar.gz"].content
    (tmp_path / FOLDER / "images_002.tar.gz").write_bytes(content)
    download(server, tmp_path)
    assert "images_002.tar.gz" not in count_requests(server)


def test_a_file_that_fails_keeps_no_other_from_coming(
    server: Server, tmp_path: Path
) -> None:
    server.files["/images_002.tar.gz"].always = status(404)
    server.files["/test_list.txt"].always = page
    with pytest.raises(DownloadError, match="Also failed: ") as caught:
        download(server, tmp_path)
    assert re.search(r"(HTTP status 404|a web page)", str(caught.value))
    assert len(list((tmp_path / "images").iterdir())) == 60
    assert not (tmp_path / "test_list.txt").exists()
    server.files["/images_002.tar.gz"].always = None
    server.files["/test_list.txt"].always = None
    assert "came now: 2 files" in download(server, tmp_path).lines[0]


def test_what_came_before_a_stop_is_gone_on_with(
    server: Server, tmp_path: Path
) -> None:
    served = server.files["/images_001.tar.gz"]
    served.misbehave(cut(5000)).always = status(500)
    with pytest.raises(DownloadError, match="tries in a row"):
        download(server, tmp_path)
    served.always = None
    download(server, tmp_path)
    assert served.requests[-1]["range"] == "bytes=5000-"
    assert len(list((tmp_path / "images").iterdir())) == 90


def test_a_process_that_died_while_unpacking_is_gone_on_with(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leftover = tmp_path / ".images.images_001.tar.gz.unpacking"
    leftover.mkdir()
    (leftover / "00000001_000.png").write_text("half")

    def die(*args: object, **kwargs: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(dataset, "unpack_pictures", die)
        with pytest.raises(MemoryError):
            download(server, tmp_path)
    download(server, tmp_path)
    assert not leftover.exists()
    assert len(list((tmp_path / "images").iterdir())) == 90


def test_without_published_checksums_the_first_ones_are_kept_to(
    server: Server, tmp_path: Path
) -> None:
    download(server, tmp_path, published=False)
    (tmp_path / "test_list.txt").unlink()
    served = server.files["/test_list.txt"]
    served.content = served.content[:-21]
    with pytest.raises(DownloadError, match=r"test_list\.txt: must have .* sha256:"):
        download(server, tmp_path, published=False)
    assert not (tmp_path / "test_list.txt").exists()


def test_a_table_that_differs_is_not_overwritten(
    server: Server, tmp_path: Path
) -> None:
    mine = tmp_path / "Data_Entry_2017_v2020.csv"
    mine.write_text("mine")
    with pytest.raises(DownloadError, match=r"Data_Entry.*must be the file that is"):
        download(server, tmp_path)
    assert mine.read_text() == "mine"
    assert count_requests(server) == {}


def test_a_harmful_archive_is_refused_and_the_others_come(
    server: Server, tmp_path: Path
) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("../evil.png"))
    server.files["/images_001.tar.gz"].content = stream.getvalue()
    with pytest.raises(DownloadError, match=r"images_001\.tar\.gz member 1: "):
        download(server, tmp_path / "nih")
    assert len(list((tmp_path / "nih" / "images").iterdir())) == 60
    assert [path.name for path in tmp_path.iterdir()] == ["nih"]


def test_a_damaged_archive_is_not_taken_for_the_published_one(
    server: Server, tmp_path: Path
) -> None:
    served = server.files["/images_001.tar.gz"]
    whole, served.content = served.content, served.content[:-100]
    with pytest.raises(DownloadError, match=r"images_001\.tar\.gz: .*damaged"):
        download(server, tmp_path, published=False)
    served.content, served.etag = whole, '"2"'
    (tmp_path / FOLDER / "images_001.tar.gz").unlink()
    download(server, tmp_path, published=False)
    assert len(list((tmp_path / "images").iterdir())) == 90


def test_a_full_disk_is_found_before_anything_is_asked_for(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "dualnet.data.download.room.shutil.disk_usage",
        lambda _: SimpleNamespace(free=10_000_000),
    )
    with pytest.raises(StorageError, match=r"must have 268\.\d MB free.*10\.0 MB"):
        download(server, tmp_path)
    assert count_requests(server) == {}


@pytest.mark.parametrize(
    ("present", "keep", "archives"),
    [
        ([0, 0, 0], True, 600),
        ([0, 0, 0], False, 500),  # the two longest
        ([0, 50, 0], True, 550),
        ([100, 300, 200], False, 0),
    ],
)
def test_room_is_for_archives_and_pictures(
    present: list[int], keep: bool, archives: int
) -> None:
    room = plan_room([100, 300, 200], present, keep=keep, workers=2)
    assert room.archives == archives
    assert room.pictures == 612  # 600 and 2 %
    assert room.total == archives + 612 + 2**28


def test_two_processes_do_not_fill_one_folder(server: Server, tmp_path: Path) -> None:
    with (
        lock_downloads(tmp_path / FOLDER),
        pytest.raises(DownloadError, match="one process at a time"),
    ):
        download(server, tmp_path)
    download(server, tmp_path)


def test_a_damaged_manifest_is_named(server: Server, tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "manifest.json").write_text("[")
    with pytest.raises(DownloadError, match=r"manifest\.json: must be the record"):
        download(server, tmp_path)


def test_nihs_release_is_the_published_one() -> None:
    nih = read_nih_release()
    assert [table.name for table in nih.tables] == list(TABLES)
    names = [f"images_{number:03d}.tar.gz" for number in range(1, 13)]
    assert [archive.name for archive in nih.archives] == names
    first, last = nih.archives[0], nih.archives[-1]
    base = "https://nihcc.box.com/shared/static"
    assert first.url == f"{base}/vfk49d74nhbxq3nqjg0900w5nvkorp5c.gz"
    assert first.digest == "md5:fe8ed0a6961412fddcbb3603c11b3698"
    assert last.url == f"{base}/ioqwiy20ihqwyr8pf4c24eazhh281pbu.gz"
    assert last.digest == "md5:dc9fda1757c2de0032b63347a7d2895c"
    # "about 42 GB" on NIH's page, in units of 1024
    assert 41.9 < sum(file.num_bytes or 0 for file in nih.archives) / 2**30 < 42.1
    files = [*nih.tables, *nih.archives]
    assert len({file.url for file in files}) == len({f.digest for f in files}) == 16
    for file in files:
        assert re.fullmatch(r"md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}", file.digest or "")


@pytest.mark.real_data
def test_nihs_checksums_are_those_of_the_real_tables(
    real_data: Path, tmp_path: Path
) -> None:
    # Copies of the set that go about have another header and one more newline.
    for table in read_nih_release().tables:
        content = (real_data / "nih" / table.name).read_bytes()
        if table.name.startswith("Data_Entry"):
            content = content.replace(b"Patient Gender", b"Patient Sex", 1)
        if table.name.endswith(".txt"):
            content = content.rstrip(b"\n")
        file = tmp_path / table.name
        file.write_bytes(content)
        assert len(content) == table.num_bytes
        assert compute_digest(file, like=table.digest) == table.digest


@pytest.mark.parametrize("text", ["", "0", "13", "1,", "one", "1-3", "-1", "1.5"])
def test_numbers_that_are_none_are_named(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"Received: {text!r}")):
        download_dataset("nih", tmp_path / "nih", only=text)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="one of nih, chest_xray, covid_radiography"):
        download_dataset("chexpert", tmp_path)


def test_only_is_for_nih(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--only: must be left out for chest_xray"):
        download_dataset("chest_xray", tmp_path, only="1")


@pytest.mark.parametrize(
    ("name", "picture", "train"),
    [
        (
            "chest_xray",
            "chest_xray/train/NORMAL/IM-0115-0001.jpeg",
            "--preset xnet --set model.modality=image",
        ),
        (
            "covid_radiography",
            "COVID-19_Radiography_Dataset/COVID/images/COVID-1.png",
            "--preset covid",
        ),
    ],
)
def test_a_set_behind_a_login_is_explained_until_it_is_there(
    name: str,
    picture: str,
    train: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "my set"
    assert main(["download", name, str(folder)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "nothing was downloaded" in lines[0]
    assert "https://www.kaggle.com/datasets/" in lines[1]
    assert picture in "\n".join(lines)
    following = f"next: dualnet train {train} --data '{folder}' --run runs/{name}"
    assert lines[-1] == following
    assert not folder.exists()
    (folder / picture).parent.mkdir(parents=True)
    (folder / picture).touch()
    assert main(["download", name, str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"{folder}: holds {name} already", following]


def test_a_download_that_fails_gets_one_line_and_2(
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    server.files["/images_001.tar.gz"].always = status(403)
    offered = release(server)
    monkeypatch.setattr("dualnet.jobs.download.read_nih_release", lambda: offered)
    assert main(["download", "nih", str(tmp_path)]) == 2
    assert "HTTP status 403" in capsys.readouterr().err.splitlines()[-1]
    server.files["/images_001.tar.gz"].always = None
    assert main(["download", "nih", str(tmp_path)]) == 0
    assert "next: dualnet train" in capsys.readouterr().out


def test_a_table_that_is_no_table_is_named_after_the_download(
    server: Server, tmp_path: Path
) -> None:
    server.files["/Data_Entry_2017_v2020.csv"].content = b"Image,Finding\n"
    with pytest.raises(RecordError, match="the header must name one column"):
        download(server, tmp_path)


def test_the_folder_of_downloads_is_not_read_as_pictures(
    server: Server, tmp_path: Path
) -> None:
    download(server, tmp_path, only="1", keep_archives=True)
    assert int(read_records(tmp_path).table["path"].notna().sum()) == 30
    assert (tmp_path / FOLDER / ARCHIVES[0]).exists()
