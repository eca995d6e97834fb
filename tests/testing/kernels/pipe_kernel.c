/* A linear layer in integers, rounded once, ties up (profiles npquant, tflite_single), over npquant's pipe. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static int requantize(int32_t acc, int m, int e, int zero, int low, int high)
{
    int shift = 31 - e; /* 1 to 62; |acc m| <= 2^62 */
    int64_t y = (((int64_t)acc * m + ((int64_t)1 << (shift - 1))) >> shift) + zero;
    return (int)(y < low ? low : y > high ? high : y);
}

static int *ints(int count) { return malloc(sizeof(int) * (size_t)(count + 1)); }

int main(void)
{
    int b, k, n, zx, zy, low, high;
    while (scanf(" linear %*s %*s %*s %d %d %d %d %d %d %d %*s %*s", &b, &k, &n, &zx, &zy, &low, &high) == 7) {
        int *zw = ints(n), *m = ints(n), *e = ints(n), *bias = ints(n), *w = ints(k * n), *x = ints(k);
        for (int j = 0; j < n; j++)
            scanf("%d %d %d %*s %d", &zw[j], &m[j], &e[j], &bias[j]);
        for (int i = 0; i < k * n; i++)
            scanf("%d", &w[i]);
        for (int row = 0; row < b; row++) {
            for (int i = 0; i < k; i++)
                scanf("%d", &x[i]);
            for (int j = 0; j < n; j++) {
                int64_t acc = bias[j];
                for (int i = 0; i < k; i++)
                    acc += (x[i] - zx) * (w[i * n + j] - zw[j]);
                printf("%d ", requantize((int32_t)acc, m[j], e[j], zy, low, high));
            }
        }
        printf("\n");
        fflush(stdout);
        free(zw), free(m), free(e), free(bias), free(w), free(x);
    }
    return 0;
}
