"""The modules that compute a network from its memory images: one multiply and add a clock, and a testbench.

Legend: steps LayerPlans, widths (bits, words) of each memory by name, name what the modules are called, rows number of
golden vectors. A layer reads its biases first, so that its accumulator needs no bit more than C7 proves.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from npquant.interop.c99.plan import LayerPlan
from npquant.interop.c99.requantization import Requantization

_HALF: Final = "((64'sd1 <<< s) >>> 1)"
_HIGH: Final = "((a <<< l) * m + 64'sd1073741824) >>> 31"
# steps of the accumulator a, by rule; every number is signed and of 64 bits, and C4 keeps it below 2^63.
_RULES: Final = MappingProxyType(
    {
        "single": ("a * m", f"(v + {_HALF}) >>> s"),
        "single64": ("a * m", f"(v + {_HALF}) >>> s"),
        "wide": ("(a >>> 16) * m + (((a & 64'sd65535) * m) >>> 16)", f"(v + {_HALF}) >>> s"),
        "away": ("a * m", f"(v + {_HALF} - (v < 0 ? 64'sd1 : 64'sd0)) >>> s"),
        "double_away": (_HIGH, f"(v + {_HALF} - ((v < 0 && s > 0) ? 64'sd1 : 64'sd0)) >>> s"),
        "double_up": (_HIGH, f"(v + {_HALF}) >>> s"),
        "floor_up": ("((a <<< l) * m) >>> 31", f"(v + {_HALF}) >>> s"),
    }
)


def verilog_source(steps: tuple[LayerPlan, ...], widths: dict[str, tuple[int, int]], name: str, rows: int) -> str:
    """Return NAME.v: a module a layer, one for the network, and the testbench NAME_testbench."""
    parts = [_layer(step, i, widths, name) for i, step in enumerate(steps)]
    return "\n".join([*parts, _network(steps, name), _testbench(steps, name, rows)])


def _layer(step: LayerPlan, i: int, widths: dict[str, tuple[int, int]], name: str) -> str:
    (k, n), x_bits, y_bits = step.layer.shape, _x_bits(step), _y_bits(step)
    memories = [memory for memory in (f"{letter}{i}" for letter in "wbmslt") if memory in widths]
    sign, zero = ("", 0) if step.layer.x.qmin < 0 else ("1'b0, ", 1)
    lines = [
        f"// Layer {i}: {k} inputs, {n} outputs, {step.layer.activation}; one product a clock.",
        f"module {name}_layer{i}(input clk, input clear, input start, input [{k * x_bits - 1}:0] x,",
        f"    output reg [{n * y_bits - 1}:0] y, output reg done);",
        *(f"    reg signed [{widths[m][0] - 1}:0] {m} [0:{widths[m][1] - 1}];" for m in memories),
        f"    reg signed [{step.bits - 1}:0] acc; // [{int(step.low.min())}, {int(step.high.max())}] over all inputs",
        "    reg [31:0] n, k;",
        "    reg busy;",
        f"    wire signed [{x_bits + zero - 1}:0] x_q = {{{sign}x[k * {x_bits} +: {x_bits}]}};",
        "    initial begin",
        *(f'        $readmemh("{m}.hex", {m});' for m in memories),
        "        busy = 0; done = 0;",
        "    end",
        *_output(step, i),
        "    always @(posedge clk) begin",
        "        if (clear) done <= 0;",
        "        if (start) begin",
        f"            n <= 0; k <= 0; acc <= b{i}[0]; busy <= 1; done <= 0;",
        "        end else if (busy) begin",
        f"            if (k < {k}) begin",
        f"                acc <= acc + (x_q - ({int(step.layer.x.zero_point)})) * w{i}[n * {k} + k];",
        "                k <= k + 1;",
        "            end else begin",
        f"                y[n * {y_bits} +: {y_bits}] <= {_result(step, i)};",
        "                k <= 0; n <= n + 1;",
        f"                if (n + 1 < {n}) acc <= b{i}[n + 1];",
        "                else begin busy <= 0; done <= 1; end",
        "            end",
        "        end",
        "    end",
        "endmodule",
    ]
    return "\n".join(lines) + "\n"


def _output(step: LayerPlan, i: int) -> list[str]:
    """The function from an accumulator to a code, before a table."""
    rounding = step.requantization
    if rounding is None:
        return []
    first, second = _RULES[rounding.rule]
    return [
        "    function signed [63:0] code(input signed [63:0] a, input signed [63:0] m, input signed [63:0] l,",
        "        input signed [63:0] s);",
        "        reg signed [63:0] v;",
        "        begin",
        f"            v = {first};",
        f"            v = ({second}) + ({rounding.zero_point});",
        f"            code = v < ({rounding.low}) ? ({rounding.low}) : v > ({rounding.high}) ? ({rounding.high}) : v;",
        "        end",
        "    endfunction",
    ]


def _result(step: LayerPlan, i: int) -> str:
    rounding = step.requantization
    if rounding is None:
        return "acc"
    call = f"code(acc, {_word('m', i, rounding)}, {_left(i, rounding)}, {_word('s', i, rounding)})"
    if step.table is None or step.layer.pre is None:
        return call
    return f"t{i}[{call} - ({step.layer.pre.qmin})]"


def _word(letter: str, i: int, rounding: Requantization) -> str:
    return f"{letter}{i}[{'n' if rounding.multiplier.ndim else '0'}]"


def _left(i: int, rounding: Requantization) -> str:
    return _word("l", i, rounding) if rounding.left.any() else "64'sd0"


def _network(steps: tuple[LayerPlan, ...], name: str) -> str:
    last = len(steps) - 1
    inputs, outputs = steps[0].layer.shape[0] * _x_bits(steps[0]), steps[-1].layer.shape[1] * _y_bits(steps[-1])
    lines = [
        "// Raise start for one clock; y is the answer when done rises.",
        f"module {name}(input clk, input start, input [{inputs - 1}:0] x, output [{outputs - 1}:0] y, output done);",
    ]
    for i, step in enumerate(steps):
        lines.append(f"    wire [{step.layer.shape[1] * _y_bits(step) - 1}:0] h{i};")
        lines.append(f"    wire d{i};")
        if i:
            # The edge of the layer before starts this one.
            lines += [f"    reg p{i};", f"    always @(posedge clk) p{i} <= d{i - 1};"]
        start = "start" if i == 0 else f"d{i - 1} && !p{i}"
        source = "x" if i == 0 else f"h{i - 1}"
        lines.append(f"    {name}_layer{i} layer{i}(clk, start, {start}, {source}, h{i}, d{i});")
    lines += [f"    assign y = h{last};", f"    assign done = d{last};", "endmodule"]
    return "\n".join(lines) + "\n"


def _testbench(steps: tuple[LayerPlan, ...], name: str, rows: int) -> str:
    """Rows and files are parameters; with +print every answer is written, a word a line, else compared."""
    k, c, x_bits, y_bits = steps[0].layer.shape[0], steps[-1].layer.shape[1], _x_bits(steps[0]), _y_bits(steps[-1])
    return f"""\
// Simulate with: iverilog -g2005 -o {name}.vvp {name}.v && vvp {name}.vvp
module {name}_testbench;
    parameter ROWS = {rows};
    parameter X_FILE = "x.hex";
    reg [{x_bits - 1}:0] rows [0:ROWS*{k}-1];
    reg [{y_bits - 1}:0] expected [0:ROWS*{c}-1];
    reg [{k * x_bits - 1}:0] x;
    wire [{c * y_bits - 1}:0] y;
    reg clk, start;
    wire done;
    integer row, i, wrong;
    {name} network(clk, start, x, y, done);
    always #1 clk = !clk;
    initial begin
        clk = 0; start = 0; wrong = 0;
        $readmemh(X_FILE, rows);
        if (!$test$plusargs("print")) $readmemh("y.hex", expected);
        for (row = 0; row < ROWS; row = row + 1) begin
            for (i = 0; i < {k}; i = i + 1) x[i * {x_bits} +: {x_bits}] = rows[row * {k} + i];
            @(negedge clk) start = 1;
            @(negedge clk) start = 0;
            @(negedge clk);
            while (!done) @(negedge clk);
            for (i = 0; i < {c}; i = i + 1) begin
                if ($test$plusargs("print")) $display("%h", y[i * {y_bits} +: {y_bits}]);
                else if (y[i * {y_bits} +: {y_bits}] !== expected[row * {c} + i]) wrong = wrong + 1;
            end
        end
        if (!$test$plusargs("print")) begin
            if (wrong == 0) $display("PASS: %0d rows, 0 differences", ROWS);
            else $display("FAIL: %0d outputs differ", wrong);
        end
        $finish;
    end
endmodule
"""


def _x_bits(step: LayerPlan) -> int:
    return 8 * step.layer.x.dtype.itemsize


def _y_bits(step: LayerPlan) -> int:
    return 8 * step.y_bytes
