/* What a shared library gives to be judged by npquant.testing.from_ctypes: one function.
 *
 *     int npquant_linear(const npquant_layer *layer);
 *
 * It computes one quantized linear layer, y[b][n] = clamp(round(acc M[n]) + y_zero), with
 *     acc  = bias[n] + sum over k of (x[b][k] - x_zero) (w[k][n] - w_zero[n]), an int32,
 *     M[n] = x_scale w_scale[n] / y_scale, also given as multiplier[n] 2^(shift[n] - 31),
 * clamped to [low, high], which is the output type narrowed by the fused activation. How it rounds is its profile's.
 *
 * Element (i, j) of x stands at (const char *)x + i * x_row + j * x_column; so do those of w and y. Strides are in
 * bytes, and may be negative. Unless it is said to take other layouts, x, w and y lie in C order: x_column = 1,
 * x_row = depth. All pointers are good during the call only, and none is NULL, not even of an empty array.
 */
#ifndef NPQUANT_BACKEND_H
#define NPQUANT_BACKEND_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { NPQUANT_OK = 0, NPQUANT_REJECTED = 1, NPQUANT_DECLINED = 2 }; /* 1: not legal; 2: not taken by this library */
enum { NPQUANT_INT8 = 1, NPQUANT_UINT8 = 2 };

typedef struct npquant_layer {
    int32_t size; /* of this struct, in bytes: another version has another */
    int32_t rows, depth, outputs;
    int32_t x_type, w_type, y_type;
    int32_t x_zero, y_zero, low, high;
    float x_scale, y_scale;
    const void *x; /* rows x depth */
    const void *w; /* depth x outputs */
    void *y;       /* rows x outputs */
    int64_t x_row, x_column, w_row, w_column, y_row, y_column;
    const int32_t *w_zero; /* the rest: one for each output */
    const int32_t *multiplier, *shift;
    const float *w_scale;
    const int32_t *bias;
} npquant_layer;

int npquant_linear(const npquant_layer *layer);

#ifdef __cplusplus
}
#endif

#endif
