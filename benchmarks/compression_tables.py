"""The tables of the compression benchmark: what each method loses, what it loses beside rectified rounding, and goals.

A ratio is rectified / peer of the same network, so below 1 rectified rounding is ahead. Ratios are averaged as
logarithms: geometric means over seeds and networks. Noise is two standard errors of that mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from npquant.compression.chain.weight_codes import Bits
from npquant.workflow.compare.methods import width_name
from npquant.workflow.compare.pairs import LEAST_DIVERGENCE

# Accuracy minus float in points, KL to the float network in nats, seconds.
Found = tuple[float, float, float]
RECTIFIED, AUTO, GPTQ, RESOLVED, ADAROUND = "rectified", "auto", "GPTQ", "GPTQ re-solved", "AdaRound 1000"
TWO_SIDES = ", 2 sides"


@dataclass(frozen=True, slots=True)
class Judged:
    """Hold what the test rows say of one shape of network on one set, by method and width; a figure a seed."""

    data: str
    case: str
    found: dict[tuple[str, Bits], list[Found]] = field(default_factory=dict)

    def peers(self, bits: Bits) -> list[str]:
        """Name the methods beside the rectified one."""
        return [name for name, width in self.found if width == bits and name != RECTIFIED]

    def kl_ratios(self, peer: str, bits: Bits) -> NDArray[np.float64]:
        """Return the logarithm of rectified / peer in KL, a figure a seed."""
        ours, theirs = (np.array(self.found[name, bits])[:, 1] for name in (RECTIFIED, peer))
        return np.log(np.maximum(ours, LEAST_DIVERGENCE) / np.maximum(theirs, LEAST_DIVERGENCE))

    def time_ratios(self, peer: str, bits: Bits) -> NDArray[np.float64]:
        """Return the logarithm of rectified / peer in seconds, a figure a seed."""
        ours, theirs = (np.array(self.found[name, bits])[:, 2] for name in (RECTIFIED, peer))
        return np.log(ours / theirs)


@dataclass(frozen=True, slots=True)
class Goal:
    """State the most that rectified / peer may be; `data` is how a set's name starts, "" several sets together."""

    data: str
    bits: Bits
    peer: str
    most: float
    of_time: bool = False

    def __str__(self) -> str:
        what = "time" if self.of_time else "KL"
        return f"{self.data or 'all sets'}, {width_name(self.bits)}, {what} over {self.peer}"


GOALS = (
    Goal("mnist", 2, GPTQ, 0.50),
    Goal("mnist", 2, RESOLVED, 0.60),
    Goal("mnist", 2, ADAROUND, 0.75),
    Goal("mnist", 2, ADAROUND, 0.30, of_time=True),
    Goal("mnist", 4, RESOLVED, 1.00),
    Goal("mnist", 4, ADAROUND, 0.80),
    Goal("optdigits", 2, RESOLVED, 0.50),
    Goal("breast_cancer", 2, GPTQ + TWO_SIDES, 0.90),
    *(
        Goal("", bits, RESOLVED, most)
        for bits, most in ((8, 1.02), (6, 0.95), (5, 0.90), (4, 0.90), (3, 0.72), (2, 0.58), ("ternary", 0.72))
    ),
)


def print_table(judged: Judged, bits: Bits) -> None:
    """Print one width of one network: accuracy minus float, of the same network and rows; KL; seconds."""
    print(f"\n{width_name(bits):26}{'accuracy - float':>21}{'KL to float':>22}{'seconds':>12}")
    for name in (RECTIFIED, *judged.peers(bits)):
        a, kl, t = np.array(judged.found[name, bits]).T
        print(f"  {name:26}{a.mean():8.2f} ± {a.std():5.2f}{kl.mean():13.6f} ± {kl.std():.6f}{t.mean():10.3f}")


def print_pooled(results: list[Judged], bits: Bits) -> None:
    """Print what all networks say together: rectified / peer, the worst set, the time."""
    count = sum(len(judged.found[RECTIFIED, bits]) for judged in results)
    print(f"\n{width_name(bits)}, rectified / peer, geometric means of {count} networks")
    print(f"  {'peer':26}{'KL':>8}{'time':>8}{'worst':>8}  set and network")
    for peer in dict.fromkeys(name for judged in results for name in judged.peers(bits)):
        having = [judged for judged in results if (peer, bits) in judged.found]
        kl, time = (
            _mean([part(judged, peer, bits) for judged in having]) for part in (Judged.kl_ratios, Judged.time_ratios)
        )
        worst = max(having, key=lambda judged: judged.kl_ratios(peer, bits).mean())
        print(f"  {peer:26}{kl:8.2f}{time:8.2f}{_mean([worst.kl_ratios(peer, bits)]):8.2f}  {worst.case}")


def _mean(logs: list[NDArray[np.float64]]) -> float:
    return float(np.exp(np.concatenate(logs).mean()))


def print_sets(results: list[Judged], bits: Bits, peers: tuple[str, ...]) -> None:
    """Print rectified / peer in KL set by set, and accuracy minus float of the rectified networks."""
    shown = [peer for peer in peers if any((peer, bits) in judged.found for judged in results)]
    print(f"\n{width_name(bits)}, KL over | accuracy - float")
    print("  " + " | ".join((*shown, RECTIFIED, "set and network")))
    for judged in results:
        having = [peer for peer in shown if (peer, bits) in judged.found]
        cells = [f"{_mean([judged.kl_ratios(peer, bits)]):{len(peer)}.2f}" for peer in having]
        a = np.array(judged.found[RECTIFIED, bits])[:, 0]
        print("  " + " | ".join((*cells, f"{a.mean():5.2f} ± {a.std():.2f}", judged.case)))


def print_goals(results: list[Judged]) -> None:
    """Print each goal that these sets can judge, where a peer is ahead by more than noise, and last what is missed."""
    missed = []
    for goal, value in _judged_goals(results):
        print(f"  {'met   ' if value <= goal.most else 'MISSED'} {goal}: {value:.2f}, at most {goal.most:.2f}")
        missed += [f"{goal}: {value:.2f}"] if value > goal.most else []
    behind = [line for judged in results for line in _behind(judged)]
    print("\na peer is ahead by more than two standard errors:", *(behind or ["nowhere"]), sep="\n  ")
    print(f"\ngoals missed: {'; '.join(missed) or 'none'}")


def _judged_goals(results: list[Judged]) -> Iterator[tuple[Goal, float]]:
    print("\ngoals")
    pooled = len({judged.data for judged in results}) > 1
    for goal in GOALS:
        of = [judged for judged in results if judged.data.lower().startswith(goal.data)]
        part = Judged.time_ratios if goal.of_time else Judged.kl_ratios
        logs = [part(judged, goal.peer, goal.bits) for judged in of if (goal.peer, goal.bits) in judged.found]
        if logs and (goal.data or pooled):
            yield goal, _mean(logs)


def _behind(judged: Judged) -> Iterator[str]:
    for bits in dict.fromkeys(width for _, width in judged.found):
        auto = judged.kl_ratios(AUTO, bits) if (AUTO, bits) in judged.found else None
        for peer in judged.peers(bits):
            logs = judged.kl_ratios(peer, bits)
            if peer != AUTO and len(logs) > 1 and logs.mean() > 2 * logs.std(ddof=1) / np.sqrt(len(logs)):
                chosen = "" if auto is None else f"; auto over it {np.exp((logs - auto).mean()):.2f}"
                yield f"{judged.case}, {width_name(bits)}: {peer}, {np.exp(logs.mean()):.2f}{chosen}"
