/* Runs the golden vectors of vectors.h through npquant_linear, which you implement.
 *
 *     cc -std=c99 -Wall -Wextra -pedantic checker.c my_kernel.c -o checker && ./checker
 *
 * Exits with 0 if every code is right, 1 if one is wrong, 4 if nothing ran. With an argument, any, it prints every
 * output code as signature.txt has them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vectors.h"

enum { MARGIN = 64, POISON = 0xa5 };

static int code(const void *codes, int32_t type, size_t i)
{
    return type == NPQUANT_INT8 ? ((const int8_t *)codes)[i] : ((const uint8_t *)codes)[i];
}

/* Say what is wrong with one vector's answer, and return whether anything is. */
static int wrong(const npquant_vector *v, const unsigned char *buffer, size_t size, int status)
{
    const int32_t type = v->layer.y_type;
    size_t i;
    if (status != NPQUANT_OK)
        return printf("%s (%s): returned %d\n", v->id, v->subject, status);
    for (i = 0; i < MARGIN; i++)
        if (buffer[i] != POISON || buffer[MARGIN + size + i] != POISON)
            return printf("%s (%s): wrote outside its output\n", v->id, v->subject);
    for (i = 0; i < size; i++)
        if (code(buffer + MARGIN, type, i) != code(v->y, type, i))
            return printf("%s (%s): y[%d][%d] is %d, %d is due; accumulator %ld, before the clamp %ld\n", v->id,
                          v->subject, (int)(i / v->layer.outputs), (int)(i % v->layer.outputs),
                          code(buffer + MARGIN, type, i), code(v->y, type, i), (long)v->accumulators[i],
                          (long)v->before_clamp[i]);
    return 0;
}

int main(int argc, char **argv)
{
    const size_t count = sizeof npquant_vectors / sizeof *npquant_vectors;
    size_t ran = 0, failed = 0, n, i;
    (void)argv;
    for (n = 0; n < count; n++) {
        const npquant_vector *v = &npquant_vectors[n];
        const size_t size = (size_t)v->layer.rows * (size_t)v->layer.outputs;
        unsigned char *buffer = malloc(size + 2 * MARGIN);
        npquant_layer layer = v->layer;
        int status;
        if (buffer == NULL)
            return 2;
        memset(buffer, POISON, size + 2 * MARGIN);
        layer.y = buffer + MARGIN;
        status = npquant_linear(&layer);
        if (argc > 1)
            for (i = 0; i < size; i++)
                printf("%08lx\n", (unsigned long)(uint32_t)code(layer.y, layer.y_type, i));
        else if (status != NPQUANT_DECLINED)
            failed += wrong(v, buffer, size, status) != 0;
        ran += status != NPQUANT_DECLINED;
        free(buffer);
    }
    if (argc == 1)
        printf("%lu of %lu vectors ran, %lu wrong\n", (unsigned long)ran, (unsigned long)count, (unsigned long)failed);
    return failed ? 1 : ran ? 0 : 4;
}
