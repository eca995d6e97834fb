"""A C program answers what its network answers, byte for byte, and its self-test can fail."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from npquant.integer.mlp import IntegerMLP
from npquant.interop import encode_c, to_c
from npquant.interop.consumers.cc import SANITIZED, STRICT, quantize_cc, run_cc, selftest_cc, version_cc
from npquant.kernels.qparams import QuantParams
from tests.interop.c99.networks import FLOAT_PROFILES, INTEGER_PROFILES, Kind, foreign_networks, input_codes, network

GCC = pytest.mark.skipif(version_cc() is None, reason="gcc is not installed")
peer = [pytest.mark.peer, GCC]


def kinds() -> Iterator[Kind]:
    """Every form of weights, every rule of rounding, per tensor and per channel, clamps and tables, thin and wide."""
    for profile in (*INTEGER_PROFILES, *FLOAT_PROFILES):
        if profile == "xnnpack_rndnu":  # takes uint8 alone: weights without zero point, per tensor
            yield Kind(profile=profile)
            continue
        yield Kind(profile=profile, per_channel=True)
        yield Kind(profile=profile)
    for bits in (2, 3, 4, 5, 6, 7, 8):
        yield Kind(sizes=(37, 19, 5), bits=bits, per_channel=bits % 2 == 0)
        yield Kind(sizes=(37, 19, 5), bits=min(bits, 7), grid="mirrored")
    for activation in ("clipped_relu", "relu6", "relu_n1_to_1", "sigmoid", "tanh", "identity"):
        yield Kind(activation=activation)
    yield Kind(sizes=(64, 32, 10), grid="ternary")
    yield Kind(sizes=(300, 40, 10), density=0.1)
    yield Kind(sizes=(900, 40, 10), density=0.003)
    yield Kind(sizes=(30, 20, 10), weight_zero=7)
    yield Kind(sizes=(30, 20, 10), bits=4, weight_zero=-3)
    yield Kind(sizes=(1, 1))
    yield Kind(sizes=(5, 1, 1, 3))
    yield Kind(sizes=(784, 100, 10))


@pytest.mark.parametrize("kind", list(kinds()), ids=str)
@pytest.mark.peer
@GCC
def test_run_equals_network(kind: Kind, tmp_path: Path) -> None:
    """NAME_run gives the bytes of IntegerMLP.run, in a build whose warnings are errors and whose sums are watched."""
    model = network(kind, 5)
    x_q = input_codes(model, 320, 7)
    _, source = to_c(model, tmp_path, name="net")
    answer = run_cc(source, x_q, flags=(*STRICT, "-O0", *SANITIZED))
    want = model.run_plain(x_q)
    assert answer.dtype == want.dtype and np.array_equal(answer, want)
    assert len(np.unique(want)) > 1 or model.neurons[-1] == 1


@pytest.mark.parametrize("name", list(foreign_networks()))
@pytest.mark.peer
@GCC
def test_foreign_codes_and_tables(name: str, tmp_path: Path) -> None:
    """uint8 and int16 codes, tables of any step, accumulators of 32 and 64 bits: the bytes of IntegerMLP.run."""
    model = foreign_networks()[name]
    _, source = to_c(model, tmp_path, name="net")
    x_q = input_codes(model, 400, 7)
    answer, want = run_cc(source, x_q, flags=(*STRICT, "-O1", *SANITIZED)), model.run(x_q)
    assert answer.dtype == want.dtype and np.array_equal(answer, want)
    assert len(np.unique(want)) > 20
    assert name != "sums of 64 bits" or "int64_t acc" in source.read_text()
    assert selftest_cc(source) == 0


@pytest.mark.parametrize("kind", list(kinds())[::5], ids=str)
@pytest.mark.peer
@GCC
def test_optimized_program_agrees(kind: Kind, tmp_path: Path) -> None:
    """The same at -O2, as it is deployed, and its self-test passes."""
    model = network(kind, 6)
    _, source = to_c(model, tmp_path, name="net")
    x_q = input_codes(model, 1000, 8)
    assert np.array_equal(run_cc(source, x_q), model.run(x_q))
    assert selftest_cc(source) == 0


def test_kinds_compare_enough() -> None:
    """The programs above are compared on more than 10^5 outputs."""
    assert sum(320 * kind.sizes[-1] for kind in kinds()) >= 10**5


@pytest.mark.parametrize("density", [1.0, 0.1])
@pytest.mark.parametrize("bits", [8, 3])
@pytest.mark.peer
@GCC
def test_selftest_notices_flipped_weight(bits: int, density: float, tmp_path: Path) -> None:
    """One weight changed by hand, and the self-test fails, whatever the golden vectors see of it."""
    model = network(Kind(bits=bits, density=density), 3)
    _, source = to_c(model, tmp_path, name="net", golden=2)
    text = source.read_text()
    start = text.index("= {", text.index("net_w1")) + 3
    digit = next(i for i in range(start, len(text)) if text[i].isdigit())
    flipped = str((int(text[digit]) + 1) % 2)  # never the same, never more digits
    source.write_text(text[:digit] + flipped + text[digit + 1 :])
    assert selftest_cc(source) == -1


@pytest.mark.peer
@GCC
def test_selftest_notices_wrong_answer(tmp_path: Path) -> None:
    """A golden output changed by hand: the self-test names its row."""
    model = network(Kind(), 3)
    _, source = to_c(model, tmp_path, name="net", golden=5)
    text = source.read_text()
    rows = text.index("net_golden_y")
    third = [i for i in range(rows, len(text)) if text[i] == "{"][3]
    source.write_text(text[: third + 1] + ("1, " if "{1," not in text[third : third + 4] else "2, ") + text[
        text.index(",", third) + 2 :
    ])  # fmt: skip
    assert selftest_cc(source) == 3


def _encoders() -> Iterator[IntegerMLP]:
    layer = network(Kind(sizes=(6, 4)), 1).layers
    x = layer[0].x
    yield IntegerMLP(layer, x)
    yield IntegerMLP(layer, x, np.linspace(-1, 1, 6) / 3)
    scales = np.array([0.05, 1, 1e-20, 3.7, 2.0**40, 1 / 3], np.float32)
    yield IntegerMLP(layer, QuantParams(scales, x.zero_point, -128, 127), np.arange(6) * 0.1)


@pytest.mark.parametrize("model", list(_encoders()), ids=["scale", "offset", "scales"])
@pytest.mark.parametrize("real", [np.float32, np.float64])
@pytest.mark.peer
@GCC
def test_quantizer_equals_encode(model: IntegerMLP, real: type, tmp_path: Path) -> None:
    """NAME_quantize gives the codes of IntegerMLP.encode: at ties, beside them, far out, for float and for double."""
    rng = np.random.default_rng(2)
    scale, offset = np.broadcast_to(model.input_params.scale, 6).astype(np.float64), model.input_offset
    ties = (rng.integers(-300, 300, (4000, 6)) + 0.5) * scale + (0 if offset is None else offset)
    near = np.nextafter(ties, np.inf)
    with np.errstate(over="ignore"):
        wide = rng.standard_normal((1000, 6)) * 10.0 ** rng.integers(-30, 30, (1000, 6))
    x = np.concatenate([ties, near, np.nextafter(ties, -np.inf), wide]).astype(real)  # type: ignore[var-annotated]
    _, source = to_c(model, tmp_path, name="net")
    answer = quantize_cc(source, x, flags=(*STRICT, "-O1", *SANITIZED))
    assert np.array_equal(answer, model.encode(x))
    assert len(np.unique(answer)) > 120


@pytest.mark.parametrize(
    "profile", ["tflite_ref", "tflm", "litert_ref_2025", "tflite_opt_2_14", "ort", "xnnpack_fp32", "xnnpack_rndnu"]
)
@pytest.mark.parametrize("offset", [False, True])
@pytest.mark.peer
@GCC
def test_quantizer_of_an_engine_equals_encode(profile: str, offset: bool, tmp_path: Path) -> None:
    """Under an engine's profile NAME_quantize rounds as the engine does, overflow included."""
    rng = np.random.default_rng(2)
    made = network(Kind(sizes=(6, 4), profile=profile), 1)
    shift = np.linspace(-1, 1, 6) / 3 if offset else None
    model = IntegerMLP(made.layers, made.input_params, shift, made.profile)
    ties = (rng.integers(-300, 300, (8000, 6)) + 0.5) * float(model.input_params.scale) + (
        0 if shift is None else shift
    )
    wide = rng.standard_normal((2000, 6)) * 10.0 ** rng.integers(-30, 30, (2000, 6))
    x = np.concatenate([ties, np.nextafter(ties, np.inf), np.nextafter(ties, -np.inf), wide])
    _, source = to_c(model, tmp_path, name="net")
    for real in (np.float32, np.float64):
        answer = quantize_cc(source, x.astype(real), flags=(*STRICT, "-O1", *SANITIZED))
        assert np.array_equal(answer, model.encode(x.astype(real)))


def test_quantizer_by_place_is_an_error(tmp_path: Path) -> None:
    """Where an engine's quantizer depends on a value's place, the macro stops the build and says so."""
    texts = encode_c(network(Kind(profile="ruy_x86"), 1))
    assert '#error "ruy_x86 quantizes real inputs in vectors' in texts["model.h"]
    assert "model_quantize" not in texts["model.c"]


@pytest.mark.peer
@GCC
def test_compiles_in_every_configuration(tmp_path: Path) -> None:
    """Header alone, C11, C++ including the header, all macros at once: no warning anywhere."""
    _, source = to_c(network(Kind(per_channel=True, profile="litert_ref_2025"), 1), tmp_path, name="net")
    macros = ["-DNET_WITH_FLOAT", "-DNET_WITH_SELFTEST"]
    for command in (
        ["gcc", *STRICT, *macros, "-c", str(source)],
        ["gcc", *STRICT[1:], "-std=c11", "-Wshadow", "-Wcast-qual", "-Wsign-conversion", *macros, "-c", str(source)],
        ["gcc", *STRICT, "-x", "c", "-fsyntax-only", str(source.with_suffix(".h"))],
    ):
        made = subprocess.run([*command, "-o", str(tmp_path / "net.o")], capture_output=True, text=True, check=False)
        assert made.returncode == 0, made.stderr


@pytest.mark.skipif(shutil.which("clang") is None, reason="clang is not installed")
@pytest.mark.parametrize("profile", ["npquant", "tflite_ref", "litert_ref_2025", "ort"])
def test_clang_agrees(profile: str, tmp_path: Path) -> None:
    """clang takes the same program without a warning, and gives the same bytes."""
    model = network(Kind(profile=profile, bits=4, per_channel=True), 5)
    _, source = to_c(model, tmp_path, name="net")
    x_q = input_codes(model, 500, 7)
    flags = (*STRICT, "-O2", "-DNET_WITH_FLOAT", "-DNET_WITH_SELFTEST", "-Wconversion")
    assert np.array_equal(run_cc(source, x_q, cc="clang", flags=flags), model.run(x_q))


ARM = ("-static", "-mcpu=arm926ej-s")


@pytest.mark.skipif(
    shutil.which("arm-linux-gnueabi-gcc") is None or shutil.which("qemu-arm") is None,
    reason="arm-linux-gnueabi-gcc or qemu-arm is not installed",
)
@pytest.mark.parametrize(
    "kind", [Kind(profile=p, per_channel=True) for p in ("npquant", "tflm", "ort", "litert_ref_2025")]
)
def test_arm_agrees(kind: Kind, tmp_path: Path) -> None:
    """A 32-bit ARM under qemu-arm gives the same bytes, the quantizer's in software floats included."""
    model = network(kind, 5)
    _, source = to_c(model, tmp_path, name="net")
    x_q = input_codes(model, 500, 7)
    arm = {"cc": "arm-linux-gnueabi-gcc", "flags": (*STRICT, "-O2", *ARM), "runner": ("qemu-arm",)}
    assert np.array_equal(run_cc(source, x_q, **arm), model.run(x_q))
    assert selftest_cc(source, **arm) == 0


@pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed")
def test_cortex_m0_links(tmp_path: Path) -> None:
    """A Cortex-M0 firmware links with no heap and no C library, and is as large as its constants and a little code."""
    model = network(Kind(sizes=(64, 32, 10)), 5)
    _, source = to_c(model, tmp_path, name="net")
    main = tmp_path / "main.c"
    main.write_text(
        '#include "net.h"\nvolatile int8_t in[64];\nint main(void)\n{\n    int8_t x[64];\n    int i;\n'
        "    for (i = 0; i < 64; i++) {\n        x[i] = in[i];\n    }\n    return net_predict(x);\n}\n"
    )
    command = ["arm-none-eabi-gcc", *STRICT, "-mcpu=cortex-m0", "-mthumb", "-Os", "-nostdlib", "-Wl,-emain"]
    command += ["-I", str(tmp_path), str(main), str(source), "-lgcc", "-o", str(tmp_path / "net.elf")]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    listed = subprocess.run(["arm-none-eabi-size", tmp_path / "net.elf"], capture_output=True, text=True, check=True)
    text = int(listed.stdout.splitlines()[1].split()[0])
    constants = 64 * 32 + 32 * 10 + 4 * 42
    assert constants < text < constants + 2000


def test_small_weights_make_small_programs() -> None:
    """The arrays of 4, 2 bits, and of a pruned network take what their weights need."""
    whole = len(encode_c(network(Kind(sizes=(64, 32, 10)), 1), golden=0)["model.c"])
    four = encode_c(network(Kind(sizes=(64, 32, 10), bits=4), 1), golden=0)
    sparse = encode_c(network(Kind(sizes=(64, 32, 10), density=0.1), 1), golden=0)
    assert "model_w0[32][32]" in four["model.c"] and len(four["model.c"]) < whole
    assert "static const int8_t model_w0[2" in sparse["model.c"] and len(sparse["model.c"]) < whole / 2
    assert "model_w0[32][64]" in encode_c(network(Kind(sizes=(64, 32, 10), bits=4), 1), pack=False)["model.c"]


def test_equal_networks_give_equal_texts() -> None:
    """The texts hold nothing but the network: no time, no place, no order of a set."""
    assert encode_c(network(Kind(), 1)) == encode_c(network(Kind(), 1))


@pytest.mark.parametrize("profile", ["fbgemm", "qnnpack", "onednn_vnni", "onnx_ref", "ort_pair16"])
def test_float_output_stages_are_refused_by_name(profile: str) -> None:
    """A profile that adds a float bias, or a zero point in floating point, is refused, and others are named."""
    with pytest.raises(ValueError, match=rf"{profile}.*quantize for npquant"):
        encode_c(network(Kind(profile=profile), 1))


@pytest.mark.parametrize("name", ["", "1net", "net-1", "int", "a" * 40, "_net", "ne\nt", "../net"])
def test_names_are_identifiers(name: str, tmp_path: Path) -> None:
    """What cannot start an identifier is refused, and nothing is written."""
    with pytest.raises(ValueError, match="C identifier"):
        to_c(network(Kind(), 1), tmp_path, name=name)
    assert not list(tmp_path.iterdir())


def test_wrong_arguments_are_refused(tmp_path: Path) -> None:
    """Float networks, unknown styles and rows that are no codes are named; nothing is written."""
    model = network(Kind(), 1)
    with pytest.raises(TypeError, match="quantize it first"):
        to_c("model", tmp_path)
    with pytest.raises(ValueError, match="plain and cmsis-nn"):
        to_c(model, tmp_path, style="misra")
    with pytest.raises(ValueError, match="number of rows"):
        to_c(model, tmp_path, golden=-1)
    with pytest.raises(TypeError, match="dtype"):
        to_c(model, tmp_path, golden=np.zeros((1, 20)))
    assert not list(tmp_path.iterdir())
