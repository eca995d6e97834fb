"""Laws of text files: encodings and packings give the same lines; what is no text is named; all is bounded."""

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from npquant.data.readers.text_source import text_source

LIMIT = 1 << 16
TEXT = "größe,preis\r\n1,2\n3,4"


def zipped(data: bytes) -> bytes:
    """A zip archive of one file, with what macOS puts beside it."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("t/", b"")
        archive.writestr("t/table.csv", data)
        archive.writestr("__MACOSX/t/._table.csv", b"\0")
    return stream.getvalue()


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zipped])
@pytest.mark.parametrize(
    ("encoding", "note"),
    [
        ("utf-8", ""),
        ("utf-8-sig", ""),
        ("utf-16", "read as UTF-16"),
        ("utf-32", "read as UTF-32"),
        ("latin-1", "read as Latin-1, since line 1 is not UTF-8"),
    ],
)
def test_text_source_reads_encodings_and_packings(
    encoding: str, note: str, pack: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    """The lines are those that were written; an encoding other than UTF-8, and a member's name, are said."""
    path = tmp_path / "t"
    path.write_bytes(pack(TEXT.encode(encoding)))
    text = text_source(path, max_bytes=LIMIT)
    with text.lines() as stream:
        assert list(stream) == ["größe,preis\n", "1,2\n", "3,4"]
    assert text.size == len(TEXT.encode(encoding)) and text.most_lines >= 3
    member = ("the file 't/table.csv' of the archive",) if pack is zipped else ()
    assert text.notes == member + ((note,) if note else ())


def test_text_source_tells_windows_from_latin(tmp_path: Path) -> None:
    """A euro sign or a curly quote is Windows-1252; the line is that of the first byte that is not UTF-8."""
    (tmp_path / "t").write_bytes(("a,b\n" * 70_000 + "1 €,2\n").encode("cp1252"))
    text = text_source(tmp_path / "t", max_bytes=1 << 20)
    assert text.notes == ("read as Windows-1252, since line 70001 is not UTF-8",)
    with text.lines() as stream:
        assert list(stream)[-1] == "1 €,2\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("é,1\n".encode() + "é,2\n".encode("latin-1"), "line 2 is not UTF-8, but other lines are"),
        (b"1,2\n3,\x81\n", "line 2 is neither UTF-8 nor Windows-1252"),
        (b"1,2\0", "not a table of text"),
        (b"\xff\xfe1\0,\0\x00\xd8", "is not UTF-16, which its first bytes promise"),
        (gzip.compress(b"1,2\n", mtime=0)[:-5], "damaged archive"),
        (b"a" * (LIMIT + 1), f"the limit is {LIMIT}"),
        (gzip.compress(b"a" * (LIMIT + 1), mtime=0), f"unpacks to more than the limit of {LIMIT} bytes"),
        (zipped(b"a" * (LIMIT + 1)), f"unpacks to more than the limit of {LIMIT} bytes"),
        (zipped(b"1,2\n").replace(b"__MACOSX/", b"original/"), r"holds 2 files \(t/table.csv, original/"),
        (b"PK\3\4", "not an intact zip archive"),
    ],
)
def test_text_source_names_what_is_no_text(content: bytes, message: str, tmp_path: Path) -> None:
    """Mixed encodings, zero bytes, damage, several files and what is too long are named, with the file."""
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(ValueError, match=rf"t\.csv: .*{message}"):
        text_source(tmp_path / "t.csv", max_bytes=LIMIT)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("size,kind\n1,2\n".encode("utf-16-le"), "UTF-16-LE without a byte order mark"),
        ("size,kind\n1,2\n".encode("utf-16-be"), "UTF-16-BE without a byte order mark"),
        (bz2.compress(b"1,2\n"), "packed by bzip2: unpack"),
        (lzma.compress(b"1,2\n"), "packed by xz: unpack"),
        (b"1,2\n3\0,4\n", "holds zero bytes"),
    ],
)
def test_what_is_no_text_is_named_with_the_fix(tmp_path: Path, data: Any, says: Any) -> None:
    """Another packing or encoding is not just zero bytes."""
    (tmp_path / "t.csv").write_bytes(data)
    with pytest.raises(ValueError, match=says):
        text_source(tmp_path / "t.csv", max_bytes=LIMIT)
