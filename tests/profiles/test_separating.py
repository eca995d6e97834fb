"""Telling profiles apart: the separating set, the shares of differences, and the pinned answers of each profile."""

import numpy as np
import pytest

import npquant
from npquant.profiles import get, names
from npquant.profiles.cards import differing_rules, render_card
from npquant.profiles.differences import difference_table, first_separation
from npquant.profiles.numerics import golden_digest
from npquant.profiles.samples import codes_under, near_ties, realistic
from npquant.profiles.separating import SEPARATING_SET, candidates, classes, search

PROFILES = [get(name) for name in names()]

# A change here changes what npquant says is true of an engine: raise npquant.numerics_version with it, and say why in
# docs/decisions/.
GOLDEN = {
    "npquant": "52697c6434bd9d9a4061d889edd31f3810f4883383ddec2087c84d24084a2bf0",
    "tflite_ref": "8daabdb023c96648fae181ad9d06af7a7999678a58fb0ffc0b9380de528bf7c6",
    "tflm": "0a313506ee2dabc45710b717658d9bb610a0e542dc2f135fec5ccd9201b191c9",
    "tflite_single": "610f7d62b2c94913cdb3e8096b7ecd5dce4bcae35362d1ba744f201b55b66428",
    "litert_ref_2025": "a582edc79f33ee37d622d5d71933f378671ae2535cbb7aa7fcd88e29956fab84",
    "ruy_x86": "1e92ba4638ea8c3fd507055098cc6ae0d7ea72a63ad16350a379a13078dbaa97",
    "ruy_arm64": "049632ddc1d012da9d553b9bc5be843dfed15003fcf24997c7c27d0fbf937d96",
    "xnnpack_fp32": "54fb6c2b4f0fac0c5b2c861692b2598fbb64f6ad27d66e8544b046632c24f4d5",
    "xnnpack_fp32_avx512": "6e1387022afdf08558cb8278dd780821352e676b9c4e149f3a3fd760d57bff9f",
    "xnnpack_rndnu": "27b96ed5f813d61fd8af85542423b1f9f011d23d902d2227f303f8a205437fd1",
    "ort": "a3c5b0e37ee5fb0e51982e8775bce3a27b003c69af3e41b6d160bd09a89d5dc5",
    "ort_pair16": "82ce9c68a63cff849b6df6848d578e7af47f4ced0e337741dbc066ec8cf77e37",
    "onnx_ref": "57c0ddb34d8c9f872fe3176aa62afcfc76c4fe024e3e0428e87af4bd41094e11",
    "fbgemm": "f1f6eb6b338d7781fe0a7c31a69d02e463540a9373e3a7f85993047b552c4833",
    "fbgemm_pair16": "48ea7b6ca21f29cb114caf9bcdaee7d6a7af1dc76edd36e11bd654c36a690605",
    "qnnpack": "eb639edaac60c9b13ad9a1f4ccd644ff7e3d23118c87be09e437b27e66ab392e",
    "onednn_vnni": "2c579f49c4e6b352490f951aea682f5c24194e764c0393b4da50ee853f897cd6",
    "onednn_avx2": "b5d72b849bb879b5685e55c90b54e7cb27016cf7109de8d82bfa8656f607d77d",
    "tosa_single": "ad7c9f01bd5e391672df7f661a879d6888b76b402ec96444261b04d2317a39fc",
    "tosa_double": "9bfaf954122f3f5d415aef866142660f3d9bde37bee131906c025b54e9d349dd",
    "tvm_upward": "ad6d1c945e3597deb80475734414fb62439334dd653bf05a54a6226021b5a554",
    "tvm_tonearest": "5ecaa57e892c354b86bad50c2f3dfa9d633691341d42cdb24a5cbe9fe0def6a3",
    "gemmini_f32": "4b8c43252381a9940540af9d67d0fa64d5c8d505b18a49e0cd3c58809044da96",
    "nvdla": "ce8d148b5a2ff1ad3dba3f57dcd7ee295d11e3f5b34c68a810a719b93c81f51c",
}


def test_separating_set_tells_all_profiles_apart():
    """At most 8 vectors, and every profile alone in its class."""
    assert len(SEPARATING_SET) <= 8
    assert [len(group) for group in classes(PROFILES, SEPARATING_SET)] == [1] * len(PROFILES)


def test_separating_set_kills_a_shorter_one():
    """No vector of the set can be left out."""
    for i in range(len(SEPARATING_SET)):
        shorter = [v for j, v in enumerate(SEPARATING_SET) if j != i]
        assert len(classes(PROFILES, shorter)) < len(PROFILES)


def test_search_finds_a_set_that_separates_as_much_as_its_candidates():
    """The greedy choice stops only when nothing is left to split."""
    drawn = candidates(np.random.default_rng(5), 300)
    chosen = search(PROFILES, drawn)
    assert len(classes(PROFILES, chosen)) == len(classes(PROFILES, drawn))
    assert len(chosen) <= 12


@pytest.mark.parametrize("name", names())
def test_golden_digest_is_pinned(name):
    """The answers of a profile have not changed since the numerics version was set."""
    assert npquant.numerics_version == "1"
    assert golden_digest(get(name)) == GOLDEN[name], f"{name} answers differently: raise npquant.numerics_version"


def test_records_with_the_same_rules_answer_alike():
    """Pairs that share multiplier and output stage requantize alike on every sample; no pair shares every rule."""
    samples = [*near_ties(np.random.default_rng(3), 24, 200), *realistic(np.random.default_rng(4), 8, 200)]
    codes = {p.name: [codes_under(p, s) for s in samples] for p in PROFILES}
    for a in PROFILES:
        for b in PROFILES:
            same = (a.make_multiplier, a.output_stage, a.add_bias) == (b.make_multiplier, b.output_stage, b.add_bias)
            if same and a.name != b.name:
                pairs = zip(codes[a.name], codes[b.name], strict=True)
                assert all((x == y).all() for x, y in pairs if x is not None and y is not None)
            assert (a.name == b.name) == (not differing_rules(a, b))


def test_difference_table_is_symmetric_and_sees_known_rates():
    """Double against single rounding: about 1.5 in 1,000 realistic outputs; single against float64: none."""
    chosen = [get(n) for n in ("tflite_ref", "tflite_single", "litert_ref_2025")]
    table = difference_table(chosen, realistic(np.random.default_rng(1), 200, 2000))
    assert all(table[i][j] == table[j][i] and table[i][i] == 0 for i in range(3) for j in range(3))
    # 400,000 outputs, share 1.5e-3: a standard error of 6e-5; five of them either side.
    assert abs(table[0][1] - 1.5e-3) < 3e-4 and table[1][2] == 0


@pytest.mark.parametrize(
    ("a", "b"), [("npquant", "litert_ref_2025"), ("tflite_ref", "ruy_x86"), ("xnnpack_fp32", "xnnpack_fp32_avx512")]
)
def test_first_separation_separates(a, b):
    """The case that is shown makes the two profiles differ, as it says."""
    found = first_separation(get(a), get(b))
    assert found is not None and found.a != found.b
    from npquant.profiles.samples import Sample

    sample = Sample(np.array([found.acc]), found.sx, found.sw, found.sy, found.zy)
    assert [int(codes_under(get(n), sample)[0]) for n in (a, b)] == [found.a, found.b]


def test_first_separation_of_equals_is_none():
    """Profiles with the same requantization have no separating accumulator."""
    assert first_separation(get("npquant"), get("tosa_single")) is None


@pytest.mark.parametrize("name", names())
def test_render_card_holds_what_a_reader_looks_for(name):
    """Equation, source, a worked code, and at least one relative; no line is wider than 100 characters."""
    card = render_card(name)
    record = get(name)
    flat = " ".join(card.split())
    assert record.equation in flat and record.source in flat and "worked by hand" in card and "differs on" in card
    assert max(map(len, card.splitlines()[1:])) <= 100
