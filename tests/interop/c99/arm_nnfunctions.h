/* What the tests need of CMSIS-NN's public API, declared as its documentation describes it and computed plainly:
   two roundings, or one with CMSIS_NN_USE_SINGLE_ROUNDING. */
#ifndef ARM_NNFUNCTIONS_H
#define ARM_NNFUNCTIONS_H
#include <stdint.h>

typedef enum { ARM_CMSIS_NN_SUCCESS = 0 } arm_cmsis_nn_status;
typedef struct { void *buf; int32_t size; } cmsis_nn_context;
typedef struct { int32_t n, h, w, c; } cmsis_nn_dims;
typedef struct { int32_t *multiplier; int32_t *shift; } cmsis_nn_per_channel_quant_params;
typedef struct { int32_t multiplier; int32_t shift; } cmsis_nn_per_tensor_quant_params;
typedef struct { int32_t min; int32_t max; } cmsis_nn_activation;
typedef struct {
    int32_t input_offset;
    int32_t filter_offset;
    int32_t output_offset;
    cmsis_nn_activation activation;
} cmsis_nn_fc_params;

static int64_t fake_halved(int64_t v, int32_t places, int away)
{
    int64_t step = (int64_t)1 << places, whole = v / step, rest = v % step;
    if (rest < 0) {
        rest += step;
        whole -= 1;
    }
    if (2 * rest > step || (2 * rest == step && !(away && v < 0))) {
        whole += 1;
    }
    return whole;
}

static int32_t fake_requantize(int32_t acc, int32_t m, int32_t shift)
{
#if defined(CMSIS_NN_USE_SINGLE_ROUNDING)
    return (int32_t)fake_halved((int64_t)acc * m, 31 - shift, 0);
#else
    const int64_t high = fake_halved((int64_t)acc * ((int64_t)1 << (shift > 0 ? shift : 0)) * m, 31, 0);
    return (int32_t)(shift < 0 ? fake_halved(high, -shift, 1) : high);
#endif
}

static void fake_layer(const cmsis_nn_fc_params *p, const int32_t *m, const int32_t *s, int32_t per_channel,
    const int8_t *x, int32_t depth, const int8_t *w, const int32_t *b, int32_t outputs, int8_t *y)
{
    int32_t n, k;
    for (n = 0; n < outputs; n++) {
        int32_t acc = b[n];
        for (k = 0; k < depth; k++) {
            acc += (x[k] + p->input_offset) * (w[n * depth + k] + p->filter_offset);
        }
        acc = fake_requantize(acc, m[per_channel ? n : 0], s[per_channel ? n : 0]) + p->output_offset;
        acc = acc < p->activation.min ? p->activation.min : acc;
        y[n] = (int8_t)(acc > p->activation.max ? p->activation.max : acc);
    }
}

static inline arm_cmsis_nn_status arm_fully_connected_s8(const cmsis_nn_context *ctx,
    const cmsis_nn_fc_params *fc_params, const cmsis_nn_per_tensor_quant_params *quant_params,
    const cmsis_nn_dims *input_dims, const int8_t *input_data, const cmsis_nn_dims *filter_dims,
    const int8_t *filter_data, const cmsis_nn_dims *bias_dims, const int32_t *bias_data,
    const cmsis_nn_dims *output_dims, int8_t *output_data)
{
    (void)ctx, (void)input_dims, (void)bias_dims;
    fake_layer(fc_params, &quant_params->multiplier, &quant_params->shift, 0, input_data, filter_dims->n, filter_data,
        bias_data, output_dims->c, output_data);
    return ARM_CMSIS_NN_SUCCESS;
}

static inline arm_cmsis_nn_status arm_fully_connected_per_channel_s8(const cmsis_nn_context *ctx,
    const cmsis_nn_fc_params *fc_params, const cmsis_nn_per_channel_quant_params *quant_params,
    const cmsis_nn_dims *input_dims, const int8_t *input_data, const cmsis_nn_dims *filter_dims,
    const int8_t *filter_data, const cmsis_nn_dims *bias_dims, const int32_t *bias_data,
    const cmsis_nn_dims *output_dims, int8_t *output_data)
{
    (void)ctx, (void)input_dims, (void)bias_dims;
    fake_layer(fc_params, quant_params->multiplier, quant_params->shift, 1, input_data, filter_dims->n, filter_data,
        bias_data, output_dims->c, output_data);
    return ARM_CMSIS_NN_SUCCESS;
}
#endif
