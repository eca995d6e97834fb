"""Laws of rows that meet a network which knows its data: by name or not at all, and never silently otherwise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.data.content_hash import content_sha256
from npquant.data.dataset import Dataset
from npquant.data.matching import facts_of, match_classes, match_data, match_features
from npquant.files.facts import Facts

NAMES = ("age", "weight", "height", "sex=male")
CLASSES = ("no", "perhaps", "yes")


def rows(features: tuple[str, ...] = NAMES, classes: tuple[str, ...] = CLASSES, kind: str = "float32") -> Dataset:
    """Rows that tell columns and classes apart: column k of row r holds 10 r + k."""
    x = 10 * np.arange(6)[:, None] + np.arange(len(features))
    return Dataset(x.astype(kind), np.arange(6) % len(classes), classes, features, "rows", "rows.csv")


@given(st.permutations(range(4)), st.permutations(range(3)))
def test_match_data_undoes_any_order(columns: list[int], classes: list[int]) -> None:
    """Columns and classes in whatever order: what is matched equals what the network was made from, hash included."""
    due = rows()
    turned = np.argsort(classes)[due.y]
    moved = Dataset(
        due.x[:, columns],
        turned,
        tuple(CLASSES[c] for c in classes),
        tuple(NAMES[k] for k in columns),
        "n",
        "moved.csv",
    )
    found = match_data(moved, facts_of(due), "net.npz")
    assert found.data.x.tolist() == due.x.tolist() and found.data.y.tolist() == due.y.tolist()
    assert (found.data.feature_names, found.data.class_names) == (NAMES, CLASSES)
    assert content_sha256(found.data) == content_sha256(due)
    assert len(found.notes) == (columns != sorted(columns)) + (classes != sorted(classes))
    assert all("moved.csv" in note and "net.npz" in note and "order" in note for note in found.notes)


@pytest.mark.parametrize(("features", "said"), [
    (("weight", "height", "age"), "lacks 'sex=male'"),
    ((*NAMES, "id"), "has 'id'"),
    (("Age", *NAMES[1:]), "has 'Age', which net.npz does not know, and lacks 'age'"),
    (("age", "age", "height", "sex=male"), "two columns are called 'age'"),
    (("", *NAMES[1:]), "has ''"),
])  # fmt: skip
def test_other_columns_are_refused_by_name(features: tuple[str, ...], said: str) -> None:
    """What is missing, left over or ambiguous is named."""
    with pytest.raises(ValueError, match=f"rows.csv: .*{said}"):
        match_features(rows(features), Facts(NAMES), "net.npz")


def test_two_columns_of_one_name_in_the_same_order_are_the_same_columns() -> None:
    """Nothing is re-ordered, so nothing is ambiguous."""
    twice = rows(("a", "a"))
    assert match_features(twice, Facts(("a", "a")), "net.npz").data is twice


@pytest.mark.parametrize(("classes", "said"), [
    (("no", "maybe", "yes"), "has 'maybe', which net.npz does not know, and lacks 'perhaps'"),
    (("No", "perhaps", "yes"), "has 'No'"),
    ((*CLASSES, "never"), "has 'never'"),
    (("0", "1", "2"), "has '0', '1', '2'"),
])  # fmt: skip
def test_other_classes_are_refused_by_name(classes: tuple[str, ...], said: str) -> None:
    """A class renamed, one more, or numbers for names: never taken by place."""
    with pytest.raises(ValueError, match=said):
        match_classes(rows(classes=classes), Facts(NAMES, CLASSES), "net.npz")


def test_classes_that_are_absent_are_said_and_the_rest_keep_their_logits() -> None:
    """Two of three classes: numbered as the network numbers them."""
    found = match_classes(rows(classes=("no", "yes")), Facts(NAMES, CLASSES), "net.npz")
    assert found.data.y.tolist() == [0, 2, 0, 2, 0, 2] and found.data.class_names == CLASSES
    assert found.notes == ("rows.csv has no rows of 'perhaps', which net.npz knows.",)


def test_generic_classes_are_names_too() -> None:
    """A network of the classes 0 to 9 knows which of them a file without a 3 holds."""
    known = tuple(map(str, range(4)))
    found = match_classes(rows(classes=("0", "1", "3")), Facts(class_names=known), "net.npz")
    assert found.data.y.tolist() == [0, 1, 3, 0, 1, 3]


@pytest.mark.parametrize(("features", "known", "notes"), [
    (NAMES, None, 1), (NAMES, Facts(), 1), (NAMES, Facts(("x0", "x1", "x2", "x3")), 1),
    (("x0", "x1", "x2", "x3"), Facts(NAMES), 1), (("x0", "x1", "x2", "x3"), None, 0),
    (("x0", "x1", "x2", "x3"), Facts(("x0", "x1", "x2", "x3")), 0), (NAMES, Facts(NAMES), 0),
])  # fmt: skip
def test_what_cannot_be_checked_is_said(features: tuple[str, ...], known: Facts | None, notes: int) -> None:
    """Names on one side alone: the rows as they are, with a note; names on neither: nothing to say."""
    given_rows = rows(features)
    found = match_features(given_rows, known, "net.npz")
    assert found.data is given_rows and len(found.notes) == notes


def test_classes_of_a_network_without_names_are_said_to_be_unchecked() -> None:
    """As for columns."""
    assert len(match_classes(rows(), None, "net.onnx").notes) == 1
    assert match_classes(rows(classes=("0", "1")), None, "net.onnx").notes == ()


def test_facts_of_a_network_go_before_those_of_the_rows() -> None:
    """What its file knows stays; what it does not know is taken from the rows that it was made over with."""
    own = facts_of(rows())
    assert own == Facts(NAMES, CLASSES, None, content_sha256(rows()))
    assert facts_of(rows(), Facts(None, ("a", "b", "c"), "label")) == Facts(
        NAMES, ("a", "b", "c"), "label", own.data_sha256
    )


def test_content_hash_names_the_content_alone() -> None:
    """The same numbers in another type are the same data; another value, name, order or sign of 1 is not; -0 is 0."""
    one = content_sha256(rows())
    assert {content_sha256(rows(kind=kind)) for kind in ("uint8", "int16", "uint16")} == {one}
    same = rows()
    assert (
        content_sha256(
            Dataset(
                np.where(same.x == 0, -0.0, same.x).astype("float32"), same.y, CLASSES, NAMES, "other", "elsewhere.npz"
            )
        )
        == one
    )
    others = [
        Dataset(same.x + 1, same.y, CLASSES, NAMES, "n", "s"),
        Dataset(same.x, same.y[::-1], CLASSES, NAMES, "n", "s"),
        Dataset(same.x[::-1], same.y, CLASSES, NAMES, "n", "s"),
        rows(features=(*NAMES[:3], "sex")),
        rows(classes=("no", "perhaps", "Yes")),
    ]
    assert len({one, *map(content_sha256, others)}) == 6


def test_content_hash_is_that_of_its_definition() -> None:
    """Names and shape as JSON, then float64 rows with the label behind: also across the blocks it reads."""
    import json
    from hashlib import sha256

    x = np.random.default_rng(0).normal(size=(9000, 2)).astype(np.float32)
    y = np.arange(9000) % 2
    head = {"features": ["a", "b"], "classes": ["no", "yes"], "shape": [9000, 2]}
    content = np.column_stack([x.astype("<f8"), y.astype("<f8")]).tobytes()
    due = sha256(json.dumps(head, separators=(",", ":")).encode() + content).hexdigest()
    assert content_sha256(Dataset(x, y, ("no", "yes"), ("a", "b"), "n", "s")) == due


@pytest.mark.parametrize("shape", [(6,), (6, 2)])
def test_real_targets_have_no_classes_to_match(shape: tuple[int, ...]) -> None:
    """Nothing to number and nothing to note; a network of classes refuses them."""
    data = Dataset(
        rows().x, np.linspace(0, 1, int(np.prod(shape))).reshape(shape), (), NAMES, "n", "prices.csv", "real"
    )
    known = facts_of(data)
    assert known.class_names is None and known.data_sha256 == content_sha256(data)
    found = match_data(data, known, "net.npz")
    assert found.data is data and found.notes == ()
    with pytest.raises(ValueError, match="has real targets"):
        match_data(data, Facts(NAMES, CLASSES), "net.npz")
