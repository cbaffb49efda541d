"""Pictures out of an archive: all of them or none, and nothing else, nowhere else."""

import gzip
import io
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from bombs import zipped

from dualnet.data.download import Stopped, archive as module
from dualnet.data.download.archive import unpack_pictures
from dualnet.errors import DownloadError, StorageError

NAMES = ("00000001_000.png", "00000001_001.png", "00000002_000.png")
PIXELS = {name: bytes([number]) * (1000 + number) for number, name in enumerate(NAMES)}

Member = tuple[tarfile.TarInfo, bytes]


def member(name: str, content: bytes = b"x", **fields: object) -> Member:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, content


def pictures() -> list[Member]:
    return [member(f"images/{name}", PIXELS[name]) for name in NAMES]


def tar(*members: Member, format: int = tarfile.GNU_FORMAT) -> bytes:  # noqa: A002
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=format) as archive:
        for info, content in members:
            archive.addfile(info, io.BytesIO(content) if info.isreg() else None)
    return stream.getvalue()


def write(tmp_path: Path, *members: Member) -> Path:
    return write_bytes(tmp_path, gzip.compress(tar(*members), 1))


def write_bytes(tmp_path: Path, content: bytes) -> Path:
    file = tmp_path / "images_001.tar.gz"
    file.write_bytes(content)
    return file


def assert_refused(tmp_path: Path, archive: Path, message: str) -> None:
    before = archive.read_bytes()
    with pytest.raises(DownloadError, match=message) as caught:
        unpack_pictures(archive, tmp_path / "set" / "images")
    text = str(caught.value)
    assert text.startswith("images_001.tar.gz")
    assert "\n" not in text
    assert archive.read_bytes() == before
    assert list((tmp_path / "set").iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == [archive.name, "set"]


def test_pictures_come_out_whole_and_others_are_counted(tmp_path: Path) -> None:
    archive = write(
        tmp_path,
        member("images", b"", type=tarfile.DIRTYPE),
        *pictures(),
        member("images/README.txt"),
        member("images/._00000001_000.png"),
        member("images/nested/00000009_000.png"),
        member("images/\u0660\u0660000009_000.png"),  # digits, but not ASCII
        member("00000009_0000.png"),
        member("images/00000009_000.png.exe"),
        member("./00000003_000.png", b"beside"),
    )
    unpacked = unpack_pictures(archive, tmp_path / "images")
    expected = {**PIXELS, "00000003_000.png": b"beside"}
    found = {p.name: p.read_bytes() for p in (tmp_path / "images").iterdir()}
    assert found == expected
    assert unpacked.num_others == 6
    assert unpacked.pictures == {name: len(c) for name, c in expected.items()}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["images", archive.name]


def test_pax_and_ustar_are_read_too(tmp_path: Path) -> None:
    for format in (tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT):  # noqa: A001
        members = pictures()
        if format == tarfile.PAX_FORMAT:
            members[0][0].pax_headers = {"comment": "x" * 5000}
        content = gzip.compress(tar(*members, format=format), 1)
        unpacked = unpack_pictures(write_bytes(tmp_path, content), tmp_path / "images")
        assert len(unpacked.pictures) == 3


@pytest.mark.parametrize(
    ("attack", "message"),
    [
        (member("../00000009_000.png"), "member 4: .* leads out of the archive"),
        (member("images/../../00000009_000.png"), "leads out of the archive"),
        (member("/tmp/00000009_000.png"), "leads out of the archive"),
        (member("images/.."), "leads out of the archive"),
        (
            member("images/00000009_000.png", b"", type=b"2", linkname="/etc/passwd"),
            "a symbolic link",
        ),
        (member("images", b"", type=b"2", linkname="/tmp"), "a symbolic link"),
        (
            member("images/00000009_000.png", b"", type=b"1", linkname="../secret"),
            "a hard link",
        ),
        (member("00000009_000.png", b"", type=b"3", devmajor=1, devminor=3), "device"),
        (member("00000009_000.png", b"", type=b"4"), "a device"),
        (member("00000009_000.png", b"", type=b"6"), "a pipe"),
        (member("00000009_000.png", b"", type=b"S"), "a file with holes|damaged"),
        (member("00000009_000.png", b"", type=b"Z"), "a member of an unknown kind"),
        (member(f"images/{NAMES[0]}"), f"{NAMES[0]} for the second time"),
        (member(NAMES[0]), f"{NAMES[0]} for the second time"),
        (member(f"./{NAMES[0]}"), f"{NAMES[0]} for the second time"),
        (member("00000009_000.png", b""), "a picture of 0 bytes"),
        (
            member("00000009_000.png", bytes(module.MAX_PICTURE_BYTES + 1)),
            "a picture of 8,388,609 bytes",
        ),
    ],
)
def test_an_attack_is_refused_and_nothing_is_unpacked(
    attack: Member, message: str, tmp_path: Path
) -> None:
    assert_refused(tmp_path, write(tmp_path, *pictures(), attack), message)


def test_a_bomb_is_refused_by_its_length(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 2**22)
    bomb = write(tmp_path, *pictures(), member("zeros.bin", bytes(2**23)))
    assert bomb.stat().st_size < 50_000
    assert_refused(tmp_path, bomb, "more bytes than pictures ever take")


def test_a_bomb_behind_the_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 2**22)
    bomb = gzip.compress(tar(*pictures()) + bytes(2**23), 9)
    assert_refused(tmp_path, write_bytes(tmp_path, bomb), "more bytes than pictures")


def test_a_bomb_of_members_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_MEMBERS", 100)
    others = [member(f"other{number}", b"") for number in range(98)]
    archive = write(tmp_path, *pictures(), *others)
    assert_refused(tmp_path, archive, "more than 100 members")


def test_a_header_that_would_fill_memory_is_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 2**33
    content = gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(2**20), 1)
    archive = write_bytes(tmp_path, content)
    assert_refused(tmp_path, archive, "more bytes than pictures ever take")


def test_a_header_of_negative_length_is_refused(tmp_path: Path) -> None:
    # CVE-2025-8194: such a header leads `tarfile` back to itself, for ever
    info = tarfile.TarInfo("other")
    info.size = -1024
    content = tar(*pictures())[:-10240] + info.tobuf(tarfile.GNU_FORMAT)
    archive = write_bytes(tmp_path, gzip.compress(content + bytes(10240), 1))
    assert_refused(tmp_path, archive, "members that overlap|damaged")


Damage = Callable[[bytes], bytes]


def damaged_header(content: bytes) -> bytes:
    raw = bytearray(gzip.decompress(content))
    raw[1536 + 100] ^= 1  # in the header of the second picture
    return gzip.compress(bytes(raw), 1)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1],
        lambda content: content[:-8],
        lambda _: b"",
        lambda content: content[:5],
        lambda _: b"no gzip at all" * 100,
        lambda _: b"\x1f\x8b" + bytes(1000),
        lambda content: content[:-8] + b"\0" * 8,
        lambda content: content[:200] + b"\xff\xff\xff" + content[203:],
        lambda _: gzip.compress(b"no tar at all" * 100),
        lambda _: zipped(),
        lambda _: gzip.compress(zipped()),
        lambda content: gzip.compress(content),  # compressed twice
        lambda content: gzip.compress(gzip.decompress(content)[:1700]),
        lambda content: gzip.compress(gzip.decompress(content)[:1600]),
        lambda content: gzip.compress(gzip.decompress(content) + b"more"),
        lambda content: content + b"garbage",
        damaged_header,
    ],
)
def test_a_damaged_archive_is_refused_whole(damage: Damage, tmp_path: Path) -> None:
    whole = write(tmp_path, *pictures()).read_bytes()
    assert_refused(tmp_path, write_bytes(tmp_path, damage(whole)), "Received: ")


def test_an_archive_without_a_picture_is_refused(tmp_path: Path) -> None:
    archive = write(tmp_path, member("README"), member("x/00000001_000.png"))
    assert_refused(tmp_path, archive, "no picture, 2 other files")


def test_a_link_in_the_place_of_a_picture_is_replaced_not_followed(
    tmp_path: Path,
) -> None:
    outside = tmp_path / "outside"
    outside.write_text("precious")
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / NAMES[0]).symlink_to(outside)
    unpack_pictures(write(tmp_path, *pictures()), tmp_path / "images")
    assert outside.read_text() == "precious"
    assert (tmp_path / "images" / NAMES[0]).read_bytes() == PIXELS[NAMES[0]]


def test_a_folder_that_is_a_file_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "images").write_text("a file")
    with pytest.raises(StorageError, match="images: must be writable"):
        unpack_pictures(write(tmp_path, *pictures()), tmp_path / "images")
    assert len(list(tmp_path.iterdir())) == 2


def test_a_stop_leaves_nothing(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopped):
        unpack_pictures(write(tmp_path, *pictures()), tmp_path / "images", stop=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["images_001.tar.gz"]
