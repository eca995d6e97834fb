"""A shared library with the C function of npquant_backend.h as a backend, in a process of its own or in this one.

Legend: x_q (B, K) input codes of a layer; the ABI stands in the header, which is installed beside this module.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from npquant.arrays import Codes
from npquant.profiles import get
from npquant.profiles.record import Profile
from npquant.testing.adapters.line_process import LineProcess
from npquant.testing.adapters.operands import LayerByLayer, Operands, operands_of, plain_capabilities
from npquant.testing.adapters.shared_call import call_function, function_of
from npquant.testing.adapters.shared_child import READY, as_message, codes_in, command_of
from npquant.testing.backend import Capabilities
from npquant.testing.case import Layer, Model

# Characters of a base64 answer, and of a detail beside it.
CHARACTERS_A_CODE = 2
CHARACTERS_BESIDE = 1 << 16


@dataclass(frozen=True, slots=True, eq=False)
class SharedBackend:
    """A backend that puts every layer to a C function."""

    name: str
    profile: str
    record: Profile
    can: Capabilities
    call: Callable[[Operands], Codes]

    def capabilities(self) -> Capabilities:
        """Return what the function was said to take."""
        return self.can

    def prepare(self, model: Model) -> LayerByLayer:
        """Keep the model: the function packs nothing."""
        return LayerByLayer(self.answer, model)

    def answer(self, layer: Layer, x_q: Codes) -> Codes:
        """Call the function for one layer."""
        return self.call(operands_of(layer, x_q, self.record))


@dataclass(frozen=True, slots=True, eq=False)
class _Child:
    """A library that is loaded by another process."""

    program: LineProcess

    def call(self, o: Operands) -> Codes:
        """Send the operands, and read what came of them."""
        most = CHARACTERS_A_CODE * o.shape[0] * o.shape[1] + CHARACTERS_BESIDE
        return codes_in(self.program.ask(as_message(o), most=most, due=True), o)


def from_ctypes(
    library: str | PathLike[str],
    *,
    profile: str | Profile,
    symbol: str = "npquant_linear",
    isolated: bool = True,
    timeout: float = 5.0,
    capabilities: Capabilities | None = None,
    name: str = "",
) -> SharedBackend:
    """Make a backend of a C function in a shared library.

    Parameters
    ----------
    library : str or path
        The shared library.
    profile : str or Profile
        The arithmetic that it claims, as in `npquant.profiles.names()`.
    symbol : str
        Name of the function.
    isolated : bool
        Load it in a process of its own: a segmentation fault or an endless loop is then a finding. In this process
        either ends the trial, and a debugger can follow the function.
    timeout : float
        Seconds that an isolated function has for an answer.
    capabilities : Capabilities, optional
        What it takes; by default every layer of the profile's engine in C order. Who honours the strides of the struct
        says so by `layouts`.
    name : str
        For reports; by default the library's file name.

    Returns
    -------
    Backend
        For `run` and the rest.

    Raises
    ------
    ValueError
        If there is no such profile.
    FileNotFoundError
        If there is no such file.
    OSError, AttributeError
        If the library cannot be loaded into this process, or has no such symbol; an isolated one then is a crash.

    Notes
    -----
    The function is declared in npquant_backend.h (`c_header`). Every buffer lies between margins that must not change,
    the output is filled with poison first, and operands are compared after the call: what is written outside, left
    unwritten, or changed is named.

    Examples
    --------
    >>> from_ctypes("no_such.so", profile="npquant")
    Traceback (most recent call last):
    FileNotFoundError: there is no library no_such.so
    """
    path = Path(library)
    if not path.is_file():
        raise FileNotFoundError(f"there is no library {path}")
    record = get(profile)
    can = capabilities or plain_capabilities(record)
    full = str(path.resolve())
    if isolated:
        call = _Child(LineProcess(command_of(full, symbol), timeout, lambda line: line == READY, greets=True)).call
    else:
        function = function_of(full, symbol)

        def call(o: Operands) -> Codes:
            return call_function(function, o)

    return SharedBackend(name or path.name, record.name, record, can, call)


def c_header() -> Path:
    """Return the path of npquant_backend.h, the C header that `from_ctypes` asks by.

    Returns
    -------
    Path
        The header, beside this module; its folder is what a compiler's -I takes.

    Examples
    --------
    >>> c_header().name
    'npquant_backend.h'
    """
    return Path(__file__).with_name("npquant_backend.h")
