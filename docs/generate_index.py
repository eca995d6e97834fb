"""Write docs/index.md, the cover of the book: python docs/generate_index.py > docs/index.md

A chapter stands on it with its own title and minutes, once it stands in docs/book/.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

BOOK: Final = Path(__file__).parent / "book"
MINUTES: Final = re.compile(r"^\*(\d+) minutes?\b([^*]*)\*$", re.MULTILINE)

# {3} is a link to chapter 3.
COVER: Final = """# npquant, the book

How a neural network of real numbers becomes one of small integers, what that costs, and how to know that two programs
compute the same. Plain NumPy, from the first rounding to a file that an engine runs, bit for bit. Every block of code
is run by the tests, and prints what the page says.

## Where to start
- **You are a student, or you teach.** {1}, {2} and {3}: after the third you predict by hand the integer that a
  network computes. Then {13}, which is the most fun. `pip install 'npquant[notebook]'`, then `npquant notebook`, is
  the way through the first chapters as a notebook, to run and to change. {14} says what each word is called elsewhere.
- **You build firmware.** {4} proves how wide an accumulator must be, {9} counts the bytes, {12} writes C without
  floats. Or begin at the end: [from scikit-learn to C](sklearn-to-c.md).
- **You write a kernel or a compiler, and it is off by one.** [Off by one? Start here](off-by-one.md), then {10}, and
  {11} to have it judged. [Every equation, label by label](equations.md).
- **You do research.** {6}, {7} and {8} derive what [the table of methods](peers.md) compares; [the sweep](sweep.md)
  runs a grid on all your cores; [compare](compare.md) puts a method of your own into the same table.
- **You run it in production.** [The command line](command-line.md), [from a budget to thresholds](budget.md), [the
  report](report.md), [the kit's commands](testing-commands.md) for continuous integration.

## The book
{chapters}

## Engines and their integers
- [Every equation, label by label](equations.md), and [the families of labels](labels.md).
- [What is proven](proofs.md): where two rules are one.
- [Profiles](profiles.md): the arithmetics of the engines. [The table](profile-table.md): how often two of them
  differ.
- [What each record knows, and how](known.md), and [whose tests judged it](judged-by.md).
- [Off by one? Start here](off-by-one.md): from a symptom to the rule. [Who computes so?](who.md): from a kernel's
  answers to its name.
- [Activations of 16 bits](sixteen-bits.md), where 8 lose too much. [Dynamic quantization](dynamic.md).

## From floats to few bits
- [The float network](nn.md): forward and backward passes by hand. [Fine-tuning](finetuning.md): a teacher, training
  through the quantizer, gradual pruning.
- [Uniform quantization](uniform.md), [rectified quantization](rectified.md), and [other ways to round](peers.md),
  with the table.
- [Pruning neurons](pruning.md), and [weights](weight-pruning.md).

## Data, files, other people's formats
- [Data](data.md), and [storage](storage.md): the encodings of a network, byte by byte.
- [Bring a model in](interop.md): ONNX, TFLite, Keras, safetensors, scikit-learn, PyTorch.
- [Take one out](export.md): ONNX, TFLite, [C99](c99.md), Verilog, each judged by its own runtime.
- Two walks: [from scikit-learn to C](sklearn-to-c.md), [an int8 TFLite file, read and reproduced](int8-tflite.md).

## Running it
- [The eight steps](eight-steps.md), [from a budget to thresholds](budget.md), [real targets](regression.md).
- [The report](report.md), and [the command line](command-line.md).
- [The sweep](sweep.md): every setting of a grid, in any number of processes. [Comparing ways to round](compare.md),
  your own among them.

## The oracle kit
- [Plug in a backend](plug-in.md), and have it judged. [The pipe](pipe.md), one line a case.
- [Counterexamples](counterexamples.md): what it says about a backend that is wrong. [Findings](findings.md): what it
  said about nine engines.
- [Golden vectors](golden-vectors.md), for runners that are not Python. [Vectors with teeth](vectors-with-teeth.md):
  what a set of test vectors can see.
- [The kit's commands](testing-commands.md), its pytest plugin, and strategies for tests of your own.

## Every public name
- [The public API on one page](api.md), a line each.
- The cards: [npquant](api/npquant.rst), [npquant.testing](api/npquant.testing.rst),
  [npquant.interop](api/npquant.interop.rst).

## Why things are as they are
- [Decisions](decisions/README.md), one page each.
"""


def chapters() -> dict[int, Path]:
    """Return the chapters that stand, by number."""
    return {int(path.name[:2]): path for path in sorted(BOOK.glob("[0-9][0-9]-*.md"))}


def title(text: str) -> str:
    """Return a chapter's title without its number."""
    heading = re.match(r"# (?:(?:Chapter )?\d+[.:] )?(.*)", text)
    return heading[1] if heading else ""


def entry(number: int, path: Path) -> str:
    """Return a chapter's line: title, minutes and what it needs."""
    text = path.read_text(encoding="utf-8")
    said = MINUTES.search(text)
    minutes = f" *{said[1]} minutes.*" if said else ""
    return f"{number}. [{title(text)}](book/{path.name}).{minutes}"


def page() -> str:
    """Return the whole page."""
    found = chapters()
    listed = "\n".join(entry(number, path) for number, path in found.items())
    text = COVER.replace("{chapters}", listed)
    for number in range(1, 15):
        link = f"[chapter {number}](book/{found[number].name})" if number in found else f"chapter {number}"
        text = text.replace(f"{{{number}}}", link)
    # A sentence begins with a capital letter.
    return re.sub(r"(?<=[*.] )(\[?)c(?=hapter)", r"\1C", text)


if __name__ == "__main__":
    print(page(), end="")
