"""``npquant export``: a network as a file, or a folder, for somebody else's runtime."""

from __future__ import annotations

import argparse
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from npquant.cli.arguments import add_reading
from npquant.workflow.target_names import FOLDERS, TARGETS

if TYPE_CHECKING:
    from npquant.files.facts import Facts
    from npquant.interop.imported import Imported
    from npquant.workflow.exports import ExportForm

# What each target can be told beside the network.
_OPTIONS: Final = MappingProxyType(
    {
        "onnx": ("head", "weights"),
        "onnx-qoperator": ("head",),
        "onnx-integer": ("head",),
        "tflite": ("head", "scales"),
        "c": ("style", "name"),
        "readmemh": ("name",),
        "npz": (),
    }
)


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe ``npquant export`` in `commands`, what ``add_subparsers`` returned.

    >>> parser = argparse.ArgumentParser()
    >>> add_command(parser.add_subparsers())
    >>> parser.parse_args(["export", "deployed.npz", "--to", "c", "--out", "firmware"]).to
    'c'
    """
    export = commands.add_parser(
        "export",
        help="write ONNX, TFLite, C, Verilog memory images or plain arrays",
        description="Write a network for somebody else's runtime; npquant verify runs what was written.",
        epilog="Exit code: 0 written, 2 usage or bad input, or the format cannot hold the network.",
    )
    export.add_argument("model", metavar="MODEL", help="npquant's own, or any file that npquant import reads")
    export.add_argument("--to", required=True, choices=TARGETS, help="what to write")
    export.add_argument("--out", metavar="PATH", required=True, help="the file; for c and readmemh a folder")
    how = export.add_argument_group("how")
    how.add_argument(
        "--head", choices=("none", "softmax", "logsoftmax", "logistic"),
        help="onnx, tflite: what to put behind the logits (default: none)",
    )  # fmt: skip
    how.add_argument(
        "--weights", choices=("auto", "int8", "uint8", "int4"), help="onnx: how weights are stored (default: auto)"
    )
    how.add_argument(
        "--scales", choices=("per-tensor", "per-channel"), help="tflite: no others (default: as the network has them)"
    )
    how.add_argument(
        "--style", choices=("plain", "cmsis-nn"), help="c: integers in full (default), or CMSIS-NN's calls"
    )
    how.add_argument("--name", metavar="NAME", help="c, readmemh: of files and symbols (default: model)")
    add_reading(export, integer=True)
    export.add_argument("--json", action="store_true", help="print JSON instead of lines")
    export.set_defaults(command=_execute)


def _execute(options: argparse.Namespace) -> int:
    """Read, write, say what was written."""
    from npquant.cli.output import write_json, write_sections
    from npquant.interop.reading import read
    from npquant.workflow.exports import encode_export, write_export

    given = _given(options)
    out = _checked_out(options)
    found = read(options.model, profile=options.profile, activations=options.activations)
    files = write_export(out, encode_export(found.model, options.to, _form(given, found.facts)))
    record = _record(options, found, given, files)
    if options.json:
        write_json(record)
    else:
        write_sections(_sections(record, options.width))
    return 0


def _given(options: argparse.Namespace) -> dict[str, Any]:
    """Return what is asked for beside the defaults; ValueError if the target would ignore it."""
    names = ("head", "weights", "scales", "style", "name")
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    for name in given:
        if name not in _OPTIONS[options.to]:
            takers = ", ".join(target for target in TARGETS if name in _OPTIONS[target])
            raise ValueError(f"--{name.replace('_', '-')} is for {takers}: drop it, or --to {options.to}")
    return given


def _form(given: dict[str, Any], facts: Facts | None) -> ExportForm:
    """Return how to write, of the options that are given, and what to say of the data."""
    from npquant.workflow.exports import ExportForm

    named = {name: value for name, value in given.items() if name != "scales"}
    per_channel = None if "scales" not in given else given["scales"] == "per-channel"
    return ExportForm(**named, per_channel=per_channel, facts=facts)


def _checked_out(options: argparse.Namespace) -> Path:
    """Return where to write; see, before any work, that it can be written and is not the file that is read."""
    from npquant.cli.output import check_out

    if not options.out.strip():
        raise ValueError("--out is empty; name the file or the folder to write")
    out = Path(options.out)
    if options.to not in FOLDERS:
        check_out(options.out, options.model)
        return out
    if out.exists() and not out.is_dir():
        raise ValueError(f"--out is {out}, a file; {options.to} writes several: name a folder")
    if out.is_dir():
        check_out(str(out / f"{options.name or 'model'}"), options.model)
    else:
        check_out(str(out), options.model)
    return out


def _record(
    options: argparse.Namespace, found: Imported, given: dict[str, Any], files: dict[Path, int]
) -> dict[str, Any]:
    """Describe what was written, and what of the source was not."""
    notes = list(found.notes)
    if found.head != "none" and "head" not in given:
        back = f"; --head {found.head} puts it back" if "head" in _OPTIONS[options.to] else ""
        notes.append(f"the source's head {found.head} is not in the export, which gives the logits{back}")
    profile = getattr(found.model, "profile", None)
    return {
        "command": "export",
        "file": options.model,
        "format": found.format,
        "kind": type(found.model).__name__,
        "profile": None if profile is None else profile.name,
        "to": options.to,
        "options": given,
        "files": [{"file": str(path), "bytes": size} for path, size in files.items()],
        "notes": notes,
    }


def _sections(record: dict[str, Any], width: int) -> list[list[str]]:
    """Lay the record out for a terminal."""
    from npquant.cli.network_tables import note_lines

    under = "" if record["profile"] is None else f" under {record['profile']}"
    head = f"npquant export   {record['file']} ({record['kind']}{under}) to {record['to']}"
    lines = [f"  {file['file']}: {file['bytes']:,} bytes written" for file in record["files"]]
    return [[head], lines, note_lines(record["notes"], width)]
