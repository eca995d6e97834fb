"""Time `import npquant`, and its first kernel, against `import numpy` in the same run.

    python benchmarks/bench_import.py

Each figure is the smallest of several fresh interpreters, taken in turn, so that a busy machine slows all alike.
"""

import subprocess
import sys

ROUNDS = 15
STATEMENTS = {
    "numpy": "import numpy",
    "npquant": "import npquant",
    "npquant and numpy": "import npquant, numpy",
    "npquant and its kernels": "from npquant import QuantParams, matmul_int8",
}
LIMIT_MS = 10.0


def import_ms(statement: str) -> float:
    """Return the milliseconds that a statement takes in a fresh interpreter."""
    probe = f"from time import perf_counter as t\na = t()\n{statement}\nprint((t() - a) * 1e3)"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    return float(done.stdout)


def main() -> int:
    """Print the table; return 1 if npquant with NumPy costs over 10 ms more than NumPy alone."""
    rounds = [{name: import_ms(text) for name, text in STATEMENTS.items()} for _ in range(ROUNDS)]
    best = {name: min(row[name] for row in rounds) for name in STATEMENTS}
    for name, ms in best.items():
        print(f"{name:26} {ms:8.1f} ms  {ms / best['numpy']:6.2f} x numpy")
    over = best["npquant and numpy"] - best["numpy"]
    print(f"over numpy's own import    {over:8.1f} ms  (limit {LIMIT_MS:.0f})")
    return int(over > LIMIT_MS)


if __name__ == "__main__":
    raise SystemExit(main())
