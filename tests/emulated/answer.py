"""The far side: run TFLite models sent on standard input, with whichever runtime this interpreter has.

It imports NumPy and the runtime alone, so that any Python, on any processor or emulator, can run it. A question is a
length of 8 bytes and an npz of `model`, `x` and `resolver`; an answer a length and an npz of `y`, or of `error`.
"""

import io
import sys
from typing import Any

import numpy as np

try:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType
except ImportError:
    from tflite_runtime.interpreter import Interpreter, OpResolverType

KINDS = {
    "xnnpack": OpResolverType.AUTO,
    "ref": OpResolverType.BUILTIN_REF,
    "opt": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
}


def run(model: Any, x: Any, resolver: Any) -> Any:
    """Run a model of one input and one output."""
    interpreter = Interpreter(model_content=model, experimental_op_resolver_type=KINDS[resolver], num_threads=1)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    return np.array(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))


def main() -> None:
    """Answer until standard input ends."""
    questions, answers = sys.stdin.buffer, sys.stdout.buffer
    while head := questions.read(8):
        with np.load(io.BytesIO(questions.read(int.from_bytes(head, "little")))) as asked:
            try:
                said = {"y": run(asked["model"].tobytes(), asked["x"], str(asked["resolver"]))}
            except (RuntimeError, ValueError) as error:
                said = {"error": np.array(str(error))}
        buffer = io.BytesIO()
        np.savez(buffer, **said)
        answers.write(len(buffer.getvalue()).to_bytes(8, "little") + buffer.getvalue())
        answers.flush()


if __name__ == "__main__":
    main()
