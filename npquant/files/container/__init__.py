"""The compact file of an integer network: every byte counts, none is believed.

N1 (order)   b"NPQ", container version 1 (2 with facts), kind 1 (IntegerMLP) or 2 (one with output ends), 3 or 4 where a
             layer has int16 inputs; numerics version (B3); profile (B3, empty for npquant's own); K of layer 0 and the
             number of layers, varints; the offset; the input; the layers; of kinds 2 and 4 the offset and the factors
             of the outputs, as N2; the facts, if any; CRC-32 of all that stands before, 4 bytes
N2 (offset)  a byte: 0 none, 1 K float32, 2 K float64 (where one is no float32); of the outputs N of the last layer
N3 (input)   QuantParams of the real inputs; if it has a scale a feature, the float32 scale of layer 0's x behind
N4 (layer)   N, varint; activation, its place in ACTIVATIONS, a byte; QuantParams w, y, and for a table pre; biases and
             weights: the biases' length, varint, and `integer_stream`; the weights' form, its place in FORMS, a byte;
             their length, varint, and the stream. Behind int16 inputs biases are int64, and two such streams stand for
             them: of floor(b / 2^16), and of b mod 2^16. A layer reads what the one before it writes: its x is not
             stored
N5 (params)  a byte: bit 0 the scale is an array, bit 1 the zero point is one; bits 2 to 5 the interval: b - 1 for
             [-2^(b-1), 2^(b-1) - 1], b + 6 for [-2^(b-1) + 1, 2^(b-1) - 1], b = 2..8, else 0; bits 6 and 7 the zero
             point: 0 it is 0, 1 it is qmin, 2 stored. Then qmin and qmax, zigzags, if the interval is 0; zero points,
             zigzags, if stored; the scale, float32. Arrays have N items (w) or K (input); one of scales is the bits of
             the least, 4 bytes, and a varint length and `integer_stream` of by how much the others' bits exceed them
N6 (bounds)  decoding takes at most 2^20 + 1024 (bytes of the file) steps, where a layer is K (N + 64) + 16 N of them:
             a file of a few bytes cannot stand for a network of gigabytes
N7 (facts)   what `npquant.files.facts` says of the data. A byte: bit 0 the hash, 32 bytes; bit 1 generic names of
             features, bit 2 of classes, their number a varint each; bit 3 the label, a varint length and UTF-8; bit 4
             all the rest as JSON, up to the CRC-32. In this order

All numbers are little-endian. Equal networks, with equal facts, give equal bytes. Letters: K inputs, N outputs of a
layer, b bits.
"""
