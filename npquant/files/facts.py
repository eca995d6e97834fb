"""What a network's file knows of the data behind it. The network runs without any of it.

Legend: facts a `Facts`, None where nothing is known; reader where the bytes of one stand; value what a file says, which
is not trusted; names those of features or classes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from npquant.codec.byte_fields import ByteReader, varint

_HASH, _FEATURES, _CLASSES, _LABEL, _REST = (1 << bit for bit in range(5))
_KEYS: Final = ("features", "classes", "label", "data_sha256", "encoding")
_DIGITS: Final = frozenset("0123456789abcdef")
# Names that a few bytes may stand for: a network of more inputs has its names written out.
_MOST: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Facts:
    """Hold what a network's file knows of the data that the network was made from.

    Parameters
    ----------
    feature_names : tuple of str, optional
        One an input, in the network's order; None where they are not known.
    class_names : tuple of str, optional
        One a class, in the order of the logits (two for a network with the one logit of the second); None where they
        are not known, and for a network whose outputs are real values.
    label : str, optional
        Name of the column that the network predicts.
    data_sha256 : str, optional
        Names the data set, in 64 hexadecimal digits; see `npquant.data.content_hash.content_sha256`.
    encoding : dict, optional
        How a table becomes the network's inputs, as JSON holds it: categories, fills, shifts.

    Raises
    ------
    TypeError
        If a field is of another type, or encoding holds what JSON does not.
    ValueError
        If the hash is none, or text holds half a character (a lone surrogate).

    Notes
    -----
    Immutable; encoding is copied. Generic names, x0, x1, ... of features and 0, 1, ... of classes, take a byte or two
    in a file.

    Examples
    --------
    >>> Facts(feature_names=("age", "weight"), class_names=("light", "heavy")).to_json()
    {'features': ['age', 'weight'], 'classes': ['light', 'heavy']}
    """

    feature_names: tuple[str, ...] | None = None
    class_names: tuple[str, ...] | None = None
    label: str | None = None
    data_sha256: str | None = None
    encoding: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        """Check and copy."""
        for field in ("feature_names", "class_names"):
            names = getattr(self, field)
            if names is not None:
                object.__setattr__(self, field, tuple(_text(name, f"a name in {field}") for name in names))
        if self.label is not None:
            _text(self.label, "label")
        digest = self.data_sha256
        if digest is not None and (not isinstance(digest, str) or len(digest) != 64 or set(digest) - _DIGITS):
            raise ValueError(f"data_sha256 is {digest!r}; 64 digits of lower-case hexadecimal are meant")
        if self.encoding is not None:
            if not isinstance(self.encoding, dict):
                raise TypeError(f"encoding is a {type(self.encoding).__name__}; a dict is meant")
            object.__setattr__(self, "encoding", json.loads(json.dumps(self.encoding, allow_nan=False)))

    def to_json(self) -> dict[str, Any]:
        """Return what is known, as JSON holds it; generic names are a number.

        Returns
        -------
        dict
            Of "features", "classes", "label", "data_sha256" and "encoding", those that are known.

        Examples
        --------
        >>> Facts(("x0", "x1"), label="price").to_json()
        {'features': 2, 'label': 'price'}
        """
        said = (
            _short(self.feature_names, "x"), _short(self.class_names, ""), self.label, self.data_sha256, self.encoding
        )  # fmt: skip
        return {key: value for key, value in zip(_KEYS, said, strict=True) if value is not None}

    @classmethod
    def from_json(cls, value: object) -> Facts:
        """Undo `to_json`.

        Parameters
        ----------
        value : dict
            Nothing in it is trusted.

        Returns
        -------
        Facts
            What it says.

        Raises
        ------
        TypeError, ValueError
            If it is no such dict; names the key.

        Examples
        --------
        >>> Facts.from_json({"features": 2, "classes": ["a", "b"]})
        Facts(feature_names=('x0', 'x1'), class_names=('a', 'b'), label=None, data_sha256=None, encoding=None)
        """
        if not isinstance(value, Mapping) or set(value) - set(_KEYS):
            raise ValueError(f"what is known of the data is a table of {', '.join(_KEYS)}, and of nothing else")
        features, classes = (
            _names(value.get(key), key, letter) for key, letter in (("features", "x"), ("classes", ""))
        )
        return cls(features, classes, *(value.get(key) for key in _KEYS[2:]))


def generic_names(count: int, letter: str) -> tuple[str, ...]:
    """Name by number alone: `count` features by the letter "x", classes by "".

    >>> generic_names(2, "x"), generic_names(2, "")
    (('x0', 'x1'), ('0', '1'))
    """
    return tuple(f"{letter}{number}" for number in range(count))


def check_facts(facts: Facts | None, inputs: int, outputs: int) -> None:
    """ValueError if facts name other numbers of features or classes than a network of so many inputs and outputs has.

    >>> check_facts(Facts(class_names=("light", "heavy")), 4, 1)
    >>> check_facts(Facts(class_names=("light", "heavy")), 4, 3)
    Traceback (most recent call last):
    ValueError: the facts name 2 classes, the network tells 3 apart
    """
    if facts is None:
        return
    if facts.feature_names is not None and len(facts.feature_names) != inputs:
        raise ValueError(f"the facts name {len(facts.feature_names)} features, the network takes {inputs}")
    # One logit z stands for the two (0, z).
    classes = 2 if outputs == 1 else outputs
    if facts.class_names is not None and len(facts.class_names) != classes:
        raise ValueError(f"the facts name {len(facts.class_names)} classes, the network tells {classes} apart")


def encode_facts(facts: Facts) -> bytes:
    """N7. Write facts as few bytes.

    >>> encode_facts(Facts(("x0", "x1"), ("0", "1"))).hex(" ")
    '06 02 02'
    """
    said = facts.to_json()
    digest, label = said.pop("data_sha256", None), said.pop("label", None)
    counts = {key: said.pop(key) for key in ("features", "classes") if isinstance(said.get(key), int)}
    form, parts = 0, []
    if digest is not None:
        form, parts = form | _HASH, [bytes.fromhex(digest)]
    for key, bit in (("features", _FEATURES), ("classes", _CLASSES)):
        if key in counts:
            form |= bit
            parts.append(varint(counts[key]))
    if label is not None:
        form |= _LABEL
        parts.append(varint(len(label.encode())) + label.encode())
    if said:
        form |= _REST
        parts.append(json.dumps(said, separators=(",", ":"), allow_nan=False).encode("ascii"))
    return b"".join([bytes([form]), *parts])


def decode_facts(reader: ByteReader) -> Facts:
    """N7. Read the facts that take all the bytes that are left; ValueError if these are none.

    >>> decode_facts(ByteReader(bytes.fromhex("060202"))).class_names
    ('0', '1')
    """
    form, said = reader.byte(), dict[str, Any]()
    if form >> 5:
        raise ValueError(f"unknown form {form} of what is known of the data")
    if form & _HASH:
        said["data_sha256"] = reader.take(32).hex()
    for key, bit in (("features", _FEATURES), ("classes", _CLASSES)):
        if form & bit:
            said[key] = reader.varint()
    if form & _LABEL:
        said["label"] = reader.take(reader.varint()).decode()
    if form & _REST:
        try:
            rest = json.loads(reader.take(reader.left))
        except RecursionError as error:
            raise ValueError("what is known of the data is nested too deeply") from error
        if not isinstance(rest, dict) or set(rest) & set(said):
            raise ValueError("what is known of the data is said twice, or is no table")
        said |= rest
    try:
        return Facts.from_json(said)
    except TypeError as error:
        raise ValueError(str(error)) from error


def _short(names: tuple[str, ...] | None, letter: str) -> int | list[str] | None:
    """Return the number of names that are generic, else the names."""
    if names is None:
        return None
    plain = 0 < len(names) <= _MOST and names == generic_names(len(names), letter)
    return len(names) if plain else list(names)


def _names(value: object, key: str, letter: str) -> tuple[str, ...] | None:
    """Undo `_short`."""
    if value is None:
        return None
    if type(value) is int and 0 < value <= _MOST:
        return generic_names(value, letter)
    if not isinstance(value, list):
        raise TypeError(f"{key} must be a list of names, or a number up to {_MOST:,} of generic ones")
    return tuple(value)


def _text(value: object, what: str) -> str:
    """Refuse what is no text, and text that no file or terminal could hold."""
    if not isinstance(value, str):
        raise TypeError(f"{what} is a {type(value).__name__}; text is meant")
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        raise ValueError(f"{what} holds half a character; write it anew")
    return value
