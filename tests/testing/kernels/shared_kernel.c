/* A linear layer in integers, rounded once, ties up (profiles npquant, tflite_single), behind npquant_backend.h. */
#include "npquant_backend.h"

static int64_t element(const void *array, int type, int64_t offset)
{
    const char *at = (const char *)array + offset;
    return type == NPQUANT_INT8 ? (int64_t) * (const int8_t *)at : (int64_t) * (const uint8_t *)at;
}

int npquant_linear(const npquant_layer *q)
{
    if (q->size != (int32_t)sizeof *q)
        return NPQUANT_DECLINED;
    for (int64_t b = 0; b < q->rows; b++) {
        for (int64_t n = 0; n < q->outputs; n++) {
            int64_t acc = q->bias[n], y;
            int shift = 31 - q->shift[n];
            for (int64_t k = 0; k < q->depth; k++)
                acc += (element(q->x, q->x_type, b * q->x_row + k * q->x_column) - q->x_zero) *
                       (element(q->w, q->w_type, k * q->w_row + n * q->w_column) - q->w_zero[n]);
            y = ((int64_t)(int32_t)acc * q->multiplier[n] + ((int64_t)1 << (shift - 1))) >> shift;
            y += q->y_zero;
            y = y < q->low ? q->low : y > q->high ? q->high : y;
            *((uint8_t *)q->y + b * q->y_row + n * q->y_column) = (uint8_t)y;
        }
    }
    return NPQUANT_OK;
}
