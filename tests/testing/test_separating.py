"""Telling profiles apart: the separating set, the shares of differences, and the pinned answers of each profile."""

from typing import Any

import numpy as np
import pytest

import npquant
from npquant.profiles import get, names
from npquant.testing.cards import differing_rules, render_card
from npquant.testing.differences import difference_table, first_separation, given_by_both
from npquant.testing.numerics import golden_digest
from npquant.testing.samples import Sample, codes_under, near_ties, realistic
from npquant.testing.separating import SEPARATING_SET, candidates, classes, search
from npquant.testing.separating_wide import WIDE_SEPARATING_SET, wide_candidates, wide_profiles

PROFILES = [get(name) for name in names()]

# A change here changes what npquant says is true of an engine: raise npquant.numerics_version with it, and say why in
# docs/decisions/.
GOLDEN = {
    "npquant": "3ce302281ddf70ad41c11e041887e6edf71f1fc86e248fdfa969ae3370ff1cdc",
    "tflite_ref": "bfb13f1c3fbbf0d1be93eb7daf6e1313df31e6a16fe46759ac05fbe8cd8b5ee7",
    "tflm": "fe7099d3603948b93641be558e0ecd0b1f1972aa4dca705dc788906860cb05cc",
    "tflite_single": "516d5d055d1b3035ebec847bd8eabb798c8c24ed44214a09a2458dc2854e3dc4",
    "litert_ref_2025": "26f7838c7f87012d75968e99ab3870eabf1e72c6eaca0bf9dc0ca47956d2aa68",
    "ruy_x86": "a7b6ac329599014b3289b468e25d14b3aa0bf21b9cc90def3ab663597ebcde50",
    "tflite_opt_2_14": "e6b2161f80d01988fcd65b1648168848b006f526d50f380ac128de1f5d9035ec",
    "ruy_arm64": "090f46875ef8dd97998344af9965b16dd84e03e4a36765429aa06ea44bd5bbd0",
    "xnnpack_fp32": "a6453f201d0260461cf8a85fe69ea43dda1079a138a3972dd01f154793099199",
    "xnnpack_fp32_avx512": "5d973b0271c2efa65f3d67c96d7ce69a6b00c769d0a4de4985a76ee70e9d7598",
    "xnnpack_rndnu": "16a0e0d6e806306a5bae2698cd302f9219a060729231e0229b9dfde0f4e92293",
    "ort": "712d163d09208070f08a6bff7fcdc875ff3c71bcf2f8a36c637d8a30e5408801",
    "ort_pair16": "71b757744172b913be9ff0f15adc63a98f2a778fbb6aac717fbe9cacba1384dd",
    "onnx_ref": "26839e3f7963e568c8c564b2abf70fd9bb3a665d47437173c2a26bb087f49cb0",
    "fbgemm": "ce10d60d62eafbef3a1715e5d1973bc58207a0b48b8557b25bd0e52ebc7f60aa",
    "fbgemm_pair16": "638b0d4a1d3368a244cc7c6b78a296f78ffaab62abfd658002779773e7a51d91",
    "qnnpack": "89e5fefd7194547d275a4835fc8afec5d427049210846f7ba8988be0f5b86c11",
    "onednn_vnni": "9c5edc9c147837e0a609622aa68e99f12b36b079ad1a2d1a0e442402c96c48a9",
    "onednn_avx2": "fd5f9755d3e2b91757a15a4749c7557ae7df31f4f381c7028721a3f9af157c22",
    "tosa_single": "b752735565cc74a0c0979a14d0d03530b446aec51c6e094131433d895c8ea839",
    "tosa_double": "d54618b8312bbbaded477b3e8fca497b95148e4aaee91f540e455d9268473875",
    "tvm_upward": "dea85d7c0b30ecc5ddee48b49c469ae95b5b5940b3fc7648cf57f44f33bcd69c",
    "tvm_tonearest": "5a53c8a9d3470622d174e7c09d698646e03bfb169e5f7fafe27f84851914b398",
    "gemmini_f32": "4a1e9cecc4fd196a095b5d10921ea2d0b7d100f23861ae83af5722d416c6a0eb",
    "nvdla": "05d8fced8fa3ea0992a0b2c1a90ce86da1413044b71c02cce0e1c78b3fa01540",
    "ncnn": "67e5e166c94adc2585992c475b4f1b60cc042706d1e2da37d424bb0aaf08672a",
    "mnn": "46babb5167bb549d60225a1384f525ffd54e2a1dbb1ff7376c65513f96966fa3",
    "tract": "6109eb5485bc8d9a8a36bb46fabc2114e429cd29e3ca588a542d6e250b8360ab",
    "executorch_xnnpack": "a6875d961e53ec09500cf97c5959a783e0e14b4d1483d07a6bb605a02d6f7228",
    "executorch_xnnpack_avx512": "8804070cd5aeaa7b0bbfaa6e972a843037285862837c734954ed40d754a6ab98",
    "stablehlo_iree": "83a4492978722aea276de96595f9be227b0ecd3643525c5a2bf40bfe6500e3a7",
    "openvino": "71c93b217cba69d10cd31e05af752920e7cd60e59696cc05e40782a719cdbe20",
    "openvino_pair16": "bd818e643a6bca168702b3eb2de0a1181ff7b3ae8c07c0f75510b8d5116eca07",
}


def test_separating_set_tells_all_profiles_apart() -> None:
    """At most 8 vectors, and every profile alone in its class."""
    assert len(SEPARATING_SET) <= 8
    assert [len(group) for group in classes(PROFILES, SEPARATING_SET)] == [1] * len(PROFILES)


def test_separating_set_kills_a_shorter_one() -> None:
    """No vector of the set can be left out."""
    for i in range(len(SEPARATING_SET)):
        shorter = [v for j, v in enumerate(SEPARATING_SET) if j != i]
        assert len(classes(PROFILES, shorter)) < len(PROFILES)


def test_search_goes_on_from_a_set() -> None:
    """The seventh vector is what the search finds behind the first six; behind all of them it finds nothing."""
    drawn = candidates(np.random.default_rng(0), 130)
    six = SEPARATING_SET[:6]
    together = [get(name) for group in classes(PROFILES, six) if len(group) > 1 for name in group]
    assert len(together) >= 4
    assert search(together, drawn, six) == [SEPARATING_SET[6]]
    assert search(together, drawn, SEPARATING_SET) == []


def rules_of_8_bit_weights(profile: Any) -> Any:
    """Name what takes int16 inputs and int8 weights to codes, by the type of the bias."""
    stages = (profile.wide_stage(bias) for bias in ("int64", "int32"))
    return [(stage.make_multiplier, stage.output_stage, stage.zero_points) for stage in stages]


def test_wide_separating_set_tells_16_bit_layers_apart() -> None:
    """At most 8 vectors of both bias types; who is still together has the same rules of 8-bit weights, and bounds."""
    profiles = wide_profiles()
    assert len(WIDE_SEPARATING_SET) <= 8 and {v.bias_type for v in WIDE_SEPARATING_SET} == {"int32", "int64"}
    found = classes(profiles, WIDE_SEPARATING_SET)
    assert [group for group in found if len(group) > 1] == [
        ["tflm", "litert_ref_conv"],
        ["xnnpack_fp32", "xnnpack_fp32_avx512"],
    ]
    for group in found:
        assert len({(*rules_of_8_bit_weights(p), p.activation_bounds) for p in profiles if p.name in group}) == 1


def test_wide_separating_set_kills_a_shorter_one_and_finds_no_further_vector() -> None:
    """No vector can be left out, and 200 drawn ones split no class."""
    profiles = wide_profiles()
    most = len(classes(profiles, WIDE_SEPARATING_SET))
    for vector in WIDE_SEPARATING_SET:
        assert len(classes(profiles, [v for v in WIDE_SEPARATING_SET if v != vector])) < most
    for bias_type in ("int32", "int64"):
        assert search(profiles, wide_candidates(np.random.default_rng(1), 100, bias_type), WIDE_SEPARATING_SET) == []


def test_search_finds_a_set_that_separates_as_much_as_its_candidates() -> None:
    """The greedy choice stops only when nothing is left to split."""
    drawn = candidates(np.random.default_rng(5), 300)
    chosen = search(PROFILES, drawn)
    assert len(classes(PROFILES, chosen)) == len(classes(PROFILES, drawn))
    assert len(chosen) <= 12


@pytest.mark.parametrize("name", names())
def test_golden_digest_is_pinned(name: Any) -> None:
    """The answers of a profile have not changed since the numerics version was set."""
    assert npquant.numerics_version == "2"
    assert golden_digest(get(name)) == GOLDEN[name], f"{name} answers differently: raise npquant.numerics_version"


def test_records_with_the_same_rules_answer_alike() -> None:
    """Pairs that share multiplier and output stage requantize alike on every sample; no pair shares every rule."""
    samples = [*near_ties(np.random.default_rng(3), 24, 200), *realistic(np.random.default_rng(4), 8, 200)]
    codes = {p.name: [codes_under(p, s) for s in samples] for p in PROFILES}
    for a in PROFILES:
        for b in PROFILES:
            same = (a.make_multiplier, a.output_stage, a.add_bias) == (b.make_multiplier, b.output_stage, b.add_bias)
            if same and a.name != b.name:
                assert all((x == y).all() for x, y in given_by_both(codes[a.name], codes[b.name]))
            assert (a.name == b.name) == (not differing_rules(a, b))


def test_difference_table_is_symmetric_and_sees_known_rates() -> None:
    """Double against single rounding: about 1.5 in 1,000 realistic outputs; single against float64: none."""
    chosen = [get(n) for n in ("tflite_ref", "tflite_single", "litert_ref_2025")]
    table = difference_table(chosen, realistic(np.random.default_rng(1), 200, 2000))
    assert all(table[i][j] == table[j][i] and table[i][i] == 0 for i in range(3) for j in range(3))
    # 400,000 outputs, share 1.5e-3: a standard error of 6e-5; five of them either side.
    assert abs(table[0][1] - 1.5e-3) < 3e-4 and table[1][2] == 0  # type: ignore[operator]


@pytest.mark.parametrize(
    ("a", "b"), [("npquant", "litert_ref_2025"), ("tflite_ref", "ruy_x86"), ("xnnpack_fp32", "xnnpack_fp32_avx512")]
)
def test_first_separation_separates(a: Any, b: Any) -> None:
    """The case that is shown makes the two profiles differ, as it says."""
    found = first_separation(get(a), get(b))
    assert found is not None and found.a != found.b
    sample = Sample(np.array([found.acc]), found.sx, found.sw, found.sy, found.zy)
    assert [int(codes_under(get(n), sample)[0]) for n in (a, b)] == [found.a, found.b]  # type: ignore[index]


def test_first_separation_of_equals_is_none() -> None:
    """Profiles with the same requantization have no separating accumulator."""
    assert first_separation(get("npquant"), get("tosa_single")) is None


@pytest.mark.parametrize("name", names())
def test_render_card_holds_what_a_reader_looks_for(name: Any) -> None:
    """Equation, source, a worked code, and at least one relative; no line is wider than 100 characters."""
    card = render_card(name)
    record = get(name)
    flat = " ".join(card.split())
    assert record.equation in flat and record.source in flat and "worked by hand" in card and "differs on" in card
    assert max(map(len, card.splitlines()[1:])) <= 100
