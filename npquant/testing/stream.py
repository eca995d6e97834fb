"""Questions as a stream and answers as a stream: `generate --stream | ./sim | verify --stream`.

The simulator's output holds answers alone; who verifies makes the same questions again, from profile, tier, classes and
seed, and reads an answer for each. One question a line, one answer a line, in order; a greeting may come first.

Legend: profile the arithmetic judged by, tier and seed as in `run`, classes wanted; lines the simulator's output.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from npquant.profiles import get
from npquant.testing import backend as kinds
from npquant.testing.adapters.operands import LayerByLayer, plain_capabilities
from npquant.testing.adapters.pipe import answers_in, codes_of_line, layer_line, quantize_line, read_answer
from npquant.testing.adapters.pipe import write_question
from npquant.testing.backend import Capabilities, Outcome
from npquant.testing.case import Case
from npquant.testing.counterexample import Counterexample
from npquant.testing.judge import judged
from npquant.testing.shrink import Observation
from npquant.testing.tally import Book
from npquant.testing.trial import chosen_classes, tier_cases
from npquant.testing.verdict import Verdict
