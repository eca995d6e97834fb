"""What `to_onnx` says of the data in the model's metadata, where no other writer's reader looks.

Legend: model the message; reader the wire reader of its file; read the network of that file, as far as it was read.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Final

from npquant.files.facts import Facts, check_facts
from npquant.files.format_error import FormatError
from npquant.interop.imported import Imported
from npquant.interop.onnx_in.messages import Model, read_entry
from npquant.interop.onnx_in.wire import Reader

KEY: Final = "npquant.data"
_MOST_BYTES: Final = 1 << 24


def with_facts(read: Imported, model: Model, reader: Reader) -> Imported:
    """The network with what its file knows of the data; what does not fit is left out, and said so: it runs without."""
    outputs = 2 if read.pair else read.model.neurons[-1]
    for entry in model.metadata:
        try:
            key, text = read_entry(entry, reader, "metadata_props")
        except FormatError:
            continue  # somebody else's, in which nothing is looked for
        if key != KEY:
            continue
        try:
            if len(text) > _MOST_BYTES:
                raise ValueError(f"has {len(text):,} characters; {_MOST_BYTES:,} are read")
            facts = Facts.from_json(json.loads(text))
            check_facts(facts, read.model.n_inputs, outputs)
        except (ValueError, TypeError, RecursionError) as error:
            return replace(read, notes=(*read.notes, f"metadata {KEY!r} was left out: {error}"))
        return replace(read, facts=facts)
    return read
