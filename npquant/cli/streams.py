"""stdout and stderr as a command finds them: absent, closed, of any encoding, full, or left by their reader.

A command prints into memory; what it printed is written once, here, so that one place meets all that can go wrong.

Legend: stream a text stream, or None where a process has none (``>&-``, a service, pythonw); text what is to be shown.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final, TextIO

from npquant.report.text_layout import WIDTH

NARROW: Final = 40
WIDE: Final = 120  # longer lines are hard to read
UNWRITABLE: Final = 2
READER_GONE: Final = 141  # 128 + SIGPIPE: what a shell reports of any program whose reader has left


@contextmanager
def present_streams() -> Iterator[None]:
    """See to it that the three standard descriptors are open, and that sys.stderr is a stream, while the block runs.

    A descriptor that is closed would be given to the next file that is opened, and a child process, or a library, that
    prints would write into it.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest free descriptor is this one
    if _open(sys.stderr):
        yield
        return
    absent = sys.stderr
    with open(os.devnull, "w", encoding="utf-8") as sys.stderr:
        try:
            yield
        finally:
            sys.stderr = absent


def refusal() -> str | None:
    """Say why stdout takes nothing, as far as can be known before anything is written; None if it may.

    >>> refusal() is None
    True
    """
    with suppress(AttributeError, ValueError):  # no descriptor behind it: a stream of Python's own
        descriptor = sys.stdout.fileno()
        try:
            os.write(descriptor, b"")
        except OSError as error:
            gone = error.errno == errno.EPIPE
            return None if gone else f"stdout: {error.strerror}; give it a place that can hold it"
    return None


def deliver(text: str) -> int:
    """Write text to stdout; return 0, or the exit code that says why it was lost. An absent stdout loses nothing.

    >>> deliver("found\\n")
    found
    0
    """
    stream = sys.stdout
    if not text or not _open(stream):
        return 0
    try:
        stream.write(_encodable(text, stream))
        stream.flush()
    except BrokenPipeError:
        _silence(stream)
        return READER_GONE
    except OSError as error:
        _silence(stream)
        say(f"npquant: error: stdout: {error.strerror or error}; what was found is not printed\n")
        return UNWRITABLE
    return 0


def say(text: str) -> None:
    """Write text to stderr, or nowhere if it takes nothing: that nobody hears it changes no result."""
    stream = sys.stderr
    if _open(stream):
        try:
            stream.write(_encodable(text, stream))
            stream.flush()
        except OSError:
            _silence(stream)


def page_width() -> int:
    """How many columns a page may have: those of the terminal that stdout is, of 40 to 120; else 96, always."""
    if not _open(sys.stdout) or not sys.stdout.isatty():
        return WIDTH
    return min(max(shutil.get_terminal_size((80, 24)).columns, NARROW), WIDE)


def on_terminal() -> bool:
    """Whether stderr is a terminal."""
    return _open(sys.stderr) and sys.stderr.isatty()


def _open(stream: TextIO | None) -> bool:
    return stream is not None and not getattr(stream, "closed", False)


def _encodable(text: str, stream: TextIO) -> str:
    """Escape, as in \\xf6, what the encoding of a stream cannot hold."""
    encoding = getattr(stream, "encoding", None)
    if encoding is None:
        return text
    try:
        text.encode(encoding, getattr(stream, "errors", None) or "strict")
    except UnicodeEncodeError:
        return text.encode(encoding, "backslashreplace").decode(encoding)
    return text


def _silence(stream: TextIO) -> None:
    """Turn a stream that failed away from where it leads, so that what it still holds does not fail again at exit."""
    with suppress(AttributeError, OSError, ValueError):
        descriptor = stream.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, descriptor)
        os.close(nowhere)
