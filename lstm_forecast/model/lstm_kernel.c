/* Stacked LSTM layers with dropout between them, forwards and backwards, on one core, in float32.
 *
 * torch's CPU kernel makes each step's products through a general library, which arranges the weights anew at
 * every step and writes every sum to memory. Here the weights are arranged once for all steps, a product stays in
 * the registers, and a few steps at a time go through everything, so that what one product has written is still
 * in the cache when the next one reads it.
 *
 * Formulas: Hochreiter & Schmidhuber 1997 with the forget gate of Gers et al. 2000, the gates in torch's order:
 * input, forget, cell, output. lstm_kernel.py checks every argument; nothing is checked or allocated here.
 *
 * Written with the vector types of GCC and Clang. On x86-64 it is compiled for AVX2 and FMA, which the caller
 * makes sure of; elsewhere for the machine's own vectors (NEON). */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif
#include <immintrin.h>
#endif

enum {
    LANES = 8,     /* floats of a vector */
    ROWS = 4,      /* a tile of a product: so many rows, so many vectors; 12 sums in the 16 registers of AVX2, */
    VECTORS = 3,   /* 3 vectors of weights, and one number of the left side in all lanes */
    WIDE = LANES * VECTORS,
    LINE = 16,     /* floats of a line of the caches */
    DEEP = 256,    /* terms of a tile at a time: their weights, 24 KiB, stay in the first cache */
    NEXT = 16,     /* rows of a matrix that are read side by side */
    NEAR = 1 << 16 /* floats that stay in the second one, 256 KiB */
};

typedef float vec __attribute__((vector_size(4 * LANES)));
typedef int32_t mask __attribute__((vector_size(4 * LANES)));

#define INLINE static inline __attribute__((always_inline))
#define EXPORT __attribute__((visibility("default")))

/* ---- vectors ---------------------------------------------------------------------------------------------- */

INLINE vec load(const float *from)
{
    vec v;
    memcpy(&v, from, sizeof v);
    return v;
}

INLINE void store(float *to, vec v)
{
    memcpy(to, &v, sizeof v);
}

INLINE vec all(float x)
{
    return x - (vec){0};
}

/* The first n lanes; the others are 0. */
INLINE vec load_some(const float *from, int n)
{
    float lanes[LANES] = {0};
    for (int k = 0; k < n; k++)
        lanes[k] = from[k];
    return load(lanes);
}

INLINE void store_some(float *to, vec v, int n)
{
    for (int k = 0; k < n; k++)
        to[k] = v[k];
}

/* x where it is within the two, else the nearer one; a NaN stays one. */
INLINE vec within(vec x, float low, float high)
{
#if defined(__x86_64__)
    return (vec)_mm256_min_ps((__m256)all(high), _mm256_max_ps((__m256)all(low), (__m256)x));
#else
    mask above = x > high, below = x < low;
    return (vec)((above & (mask)all(high)) | (below & (mask)all(low)) | (~(above | below) & (mask)x));
#endif
}

/* e^x for -87 <= x <= 88; what is beyond counts as the end. x = n ln 2 + r with |r| <= ln 2 / 2, and e^r = 1 + r +
 * r^2 times a polynomial with the least largest error, 3e-9 of the value (benchmarks/speed/kernel_fit.py). */
INLINE vec exponential(vec x)
{
    const float whole = 12582912.0f; /* 1.5 * 2^23: added, a float has no digits behind the point left */
    x = within(x, -87.0f, 88.0f);
    vec shifted = x * 1.44269504088896341f + whole, n = shifted - whole;
    vec r = x - n * 0.693359375f + n * 2.12194440054690583e-4f; /* ln 2 in two parts, the first exact in n */
    vec p = all(0.00138145406f);
    p = p * r + 0.00836874545f;
    p = p * r + 0.041668389f;
    p = p * r + 0.166665211f;
    p = p * r + 0.49999994f;
    p = p * r * r + r + 1.0f;
    mask power = ((mask)shifted - (mask)all(whole) + 127) << 23; /* the bits of 2^n */
    return p * (vec)power;
}

INLINE vec sigmoid(vec x)
{
    return 1.0f / (1.0f + exponential(-x));
}

/* x times a quotient of polynomials in x^2 with the least largest error over |x| <= 8, 1e-8 of the value
 * (benchmarks/speed/kernel_fit.py); a float has tanh 8 = 0.9999998. */
INLINE vec hyperbolic_tangent(vec x)
{
    x = within(x, -8.0f, 8.0f);
    vec z = x * x;
    vec p = all(1.52304178e-08f);
    p = p * z + 2.18946625e-05f;
    p = p * z + 0.00357159809f;
    p = p * z + 0.134444982f;
    p = p * z + 1.0f;
    vec q = all(8.52244682e-07f);
    q = q * z + 0.000341129198f;
    q = q * z + 0.0261644423f;
    q = q * z + 0.467778265f;
    q = q * z + 1.0f;
    return x * p / q;
}

/* ---- products --------------------------------------------------------------------------------------------- */

/* The vectors of the panel of columns that begins at this one: 3, and fewer at the end; 4 are two and two, since
 * the few sums of a single one would wait for each other. */
INLINE int panel_vectors(int column, int columns)
{
    int left = (columns - column + LANES - 1) / LANES;
    return left == VECTORS + 1 ? 2 : left < VECTORS ? left : VECTORS;
}

INLINE int panel_width(int column, int columns)
{
    int width = LANES * panel_vectors(column, columns);
    return columns - column < width ? columns - column : width;
}

/* Some rows of a matrix: element (k, n) at at[k * down + n * right]. */
typedef struct {
    int depth;
    const float *at;
    int64_t down, right;
} Rows;

/* A matrix [depth, columns], of some rows after others, in the order in which product() reads it: parts of DEEP
 * rows, in each the panels one after the other, zeros beyond the last column. */
static void pack(int count, const Rows *from, int columns, float *to)
{
    int depth = 0;
    for (const Rows *rows = from; rows < from + count; rows++)
        depth += rows->depth;
    for (int part = 0; part < depth; part += DEEP) {
        int end = part + DEEP < depth ? part + DEEP : depth;
        for (int column = 0, there; column < columns; column += there) {
            int width = LANES * panel_vectors(column, columns), first = 0;
            there = panel_width(column, columns);
            for (const Rows *rows = from; rows < from + count; first += rows++->depth) {
                int begin = part > first ? part : first;
                int behind = end < first + rows->depth ? end : first + rows->depth;
                for (int n = 0; n < width; n += LANES) { /* few lines of the source at a time */
                    int some = there - n < LANES ? there - n : LANES;
                    const float *source = rows->at + (column + n) * rows->right;
                    for (int k = begin; k < behind; k++)
                        for (int lane = 0; lane < LANES; lane++)
                            to[(k - part) * width + n + lane] =
                                lane < some ? source[(k - first) * rows->down + lane * rows->right] : 0.0f;
                }
            }
            to += (end - part) * width;
        }
    }
}

/* The right side of a tile: `vectors` vectors at every `step` floats. */
typedef struct {
    const float *at;
    int64_t step;
} Panel;

/* The left side: number (i, k) of a tile's rows at at[i * down + k * right], those of the next tile at at[next]. */
typedef struct {
    const float *at;
    int64_t down, right, next;
} Left;

/* One tile: c [rows, width] += left [rows, depth] times a panel; c = where `fresh`. The constants of the calls
 * below make straight code of the loops over rows and vectors. */
INLINE void tile(int rows, int vectors, int depth, Left left, Panel panel, float *c, int64_t c_row, int width,
                 int fresh)
{
    vec sums[ROWS][VECTORS] = {{{0}}};
    for (int i = 0; i < rows; i++)
        for (int n = 0; n < vectors * LANES; n += LINE)
            __builtin_prefetch(c + i * c_row + n, 1); /* rows of c lie far apart: it comes while the sums are made */
    for (int k = 0; k < depth; k++) {
        vec weights[VECTORS];
        for (int v = 0; v < vectors; v++)
            weights[v] = load(panel.at + k * panel.step + v * LANES);
        for (int i = 0; i < rows; i++)
            for (int v = 0; v < vectors; v++)
                sums[i][v] += left.at[i * left.down + k * left.right] * weights[v];
    }
    for (int i = 0; i < rows; i++)
        for (int v = 0; v < vectors; v++) {
            float *to = c + i * c_row + v * LANES;
            int some = width - v * LANES;
            if (some >= LANES)
                store(to, fresh ? sums[i][v] : load(to) + sums[i][v]);
            else
                store_some(to, fresh ? sums[i][v] : load_some(to, some) + sums[i][v], some);
        }
}

INLINE void some_rows(int vectors, int rows, int depth, Left left, Panel panel, float *c, int64_t c_row, int width,
                      int fresh)
{
    if (rows == 4)
        tile(4, vectors, depth, left, panel, c, c_row, width, fresh);
    else if (rows == 3)
        tile(3, vectors, depth, left, panel, c, c_row, width, fresh);
    else if (rows == 2)
        tile(2, vectors, depth, left, panel, c, c_row, width, fresh);
    else
        tile(1, vectors, depth, left, panel, c, c_row, width, fresh);
}

INLINE void column_of_tiles(int vectors, int rows, int depth, Left left, Panel panel, float *c, int64_t c_row,
                            int width, int fresh)
{
    for (int i = 0; i < rows; i += ROWS, left.at += left.next, c += ROWS * c_row)
        some_rows(vectors, rows - i < ROWS ? rows - i : ROWS, depth, left, panel, c, c_row, width, fresh);
}

INLINE void tiles(int vectors, int rows, int depth, Left left, Panel panel, float *c, int64_t c_row, int width,
                  int fresh)
{
    if (vectors == 3)
        column_of_tiles(3, rows, depth, left, panel, c, c_row, width, fresh);
    else if (vectors == 2)
        column_of_tiles(2, rows, depth, left, panel, c, c_row, width, fresh);
    else
        column_of_tiles(1, rows, depth, left, panel, c, c_row, width, fresh);
}

/* c [rows, columns] = a [rows, depth] times a packed matrix [depth, columns], of both the first `used` terms. */
static void product(int rows, int columns, int depth, int used, const float *a, const float *packed, float *c)
{
    for (int part = 0; part < used; part += DEEP) {
        int there = part + DEEP < depth ? DEEP : depth - part, terms = used - part < there ? used - part : there;
        Left left = {a + part, depth, 1, (int64_t)ROWS * depth};
        for (int column = 0, width; column < columns; column += width) {
            int vectors = panel_vectors(column, columns);
            width = panel_width(column, columns);
            Panel panel = {packed, vectors * LANES};
            tiles(vectors, rows, terms, left, panel, c + column, columns, width, !part);
            packed += (int64_t)there * vectors * LANES;
        }
    }
}

/* The columns of a [depth, rows] in the order in which tiles read them: ROWS at a time, each term's side by side. */
static void pack_columns(int rows, int depth, const float *a, float *to)
{
    for (int part = 0; part < depth; part += NEXT) {
        int end = part + NEXT < depth ? part + NEXT : depth;
        for (int i = 0; i < rows; i += ROWS) {
            const float *from = a + i;
            float *place = to + i * depth;
            if (i + ROWS <= rows)
                for (int k = part; k < end; k++)
                    memcpy(place + k * ROWS, from + (int64_t)k * rows, ROWS * sizeof(float));
            else
                for (int k = part; k < end; k++)
                    for (int n = 0; i + n < rows; n++)
                        place[k * ROWS + n] = from[(int64_t)k * rows + n];
        }
    }
}

/* c [rows, columns] += a [depth, rows] transposed, times b [depth, columns]; up to 7 floats behind b are read.
 * Their rows lie far apart, often so that few of them fit into the cache together: what is read often is packed.
 * room: DEEP (rows + ROWS + WIDE) floats. */
static void add_transposed(int rows, int columns, int depth, const float *a, const float *b, float *c, float *room)
{
    float *packed_b = room, *packed_a = packed_b + DEEP * WIDE;
    for (int part = 0; part < depth; part += DEEP, a += (int64_t)DEEP * rows, b += (int64_t)DEEP * columns) {
        int terms = part + DEEP < depth ? DEEP : depth - part;
        Left left = {packed_a, 1, ROWS, (int64_t)ROWS * terms};
        pack_columns(rows, terms, a, packed_a);
        for (int column = 0, width; column < columns; column += width) {
            int vectors = panel_vectors(column, columns);
            width = panel_width(column, columns);
            Panel panel = {b + column, columns};
            if (rows > 8 * ROWS) {
                for (int k = 0; k < terms; k++)
                    for (int v = 0; v < vectors; v++)
                        store(packed_b + (k * vectors + v) * LANES, load(panel.at + k * panel.step + v * LANES));
                panel = (Panel){packed_b, vectors * LANES};
            }
            tiles(vectors, rows, terms, left, panel, c + column, columns, width, 0);
        }
    }
}

/* ---- one step forwards ------------------------------------------------------------------------------------ */

INLINE vec get(const float *from, int n)
{
    return n == LANES ? load(from) : load_some(from, n);
}

INLINE void put(float *to, vec v, int n)
{
    if (n == LANES)
        store(to, v);
    else
        store_some(to, v, n);
}

/* What n units of a row are before the step: the gates' sums, and the cell of the step before. */
typedef struct {
    vec i, f, g, o, c;
} Before;

INLINE Before before(const float *gates, const float *last_cell, int size, int j, int n)
{
    Before was = {get(gates + j, n), get(gates + size + j, n), get(gates + 2 * size + j, n),
                  get(gates + 3 * size + j, n), last_cell ? get(last_cell + j, n) : all(0)};
    return was;
}

INLINE void advance(Before was, float *gates, float *cell, float *hidden, int size, int j, int n)
{
    vec i = sigmoid(was.i), f = sigmoid(was.f), g = hyperbolic_tangent(was.g), o = sigmoid(was.o);
    vec c = f * was.c + i * g;
    put(gates + j, i, n);
    put(gates + size + j, f, n);
    put(gates + 2 * size + j, g, n);
    put(gates + 3 * size + j, o, n);
    put(cell + j, c, n);
    put(hidden + j, o * hyperbolic_tangent(c), n);
}

/* One row: the gates' sums become their values. A last vector that is not whole overlaps the one before it, so
 * it is read before anything is written. */
static void row_forward(float *gates, const float *last_cell, float *cell, float *hidden, int size)
{
    if (size < LANES) {
        advance(before(gates, last_cell, size, 0, size), gates, cell, hidden, size, 0, size);
        return;
    }
    int end = size - LANES, j = 0;
    Before last = before(gates, last_cell, size, end, LANES);
    for (; j <= end; j += LANES)
        advance(before(gates, last_cell, size, j, LANES), gates, cell, hidden, size, j, LANES);
    if (j < size)
        advance(last, gates, cell, hidden, size, end, LANES);
}

/* ---- one step back ---------------------------------------------------------------------------------------- */

/* What n units of a row were, and what the loss's derivatives by them are after the step. */
typedef struct {
    vec i, f, g, o, c, last_c, dh, dc;
} After;

/* Addresses of one row. `out` is the derivative by what the layer gives out at this step; NULL for none. */
typedef struct {
    float *gates, *dc;
    const float *cell, *last_cell, *out, *dh;
} Row;

INLINE After after(Row row, int size, int j, int n)
{
    vec dh = get(row.dh + j, n);
    if (row.out)
        dh += get(row.out + j, n);
    After was = {get(row.gates + j, n),
                 get(row.gates + size + j, n),
                 get(row.gates + 2 * size + j, n),
                 get(row.gates + 3 * size + j, n),
                 get(row.cell + j, n),
                 row.last_cell ? get(row.last_cell + j, n) : all(0),
                 dh,
                 get(row.dc + j, n)};
    return was;
}

INLINE void go_back(After was, Row row, int size, int j, int n)
{
    vec t = hyperbolic_tangent(was.c), dc = was.dc + was.dh * was.o * (1.0f - t * t);
    put(row.gates + j, dc * was.g * was.i * (1.0f - was.i), n);
    put(row.gates + size + j, dc * was.last_c * was.f * (1.0f - was.f), n);
    put(row.gates + 2 * size + j, dc * was.i * (1.0f - was.g * was.g), n);
    put(row.gates + 3 * size + j, was.dh * t * was.o * (1.0f - was.o), n);
    put(row.dc + j, dc * was.f, n);
}

/* One row: the gates' values become the derivatives by their sums, dc that by the cell of the step before. */
static void row_backward(Row row, int size)
{
    if (size < LANES) {
        go_back(after(row, size, 0, size), row, size, 0, size);
        return;
    }
    int end = size - LANES, j = 0;
    After last = after(row, size, end, LANES);
    for (; j <= end; j += LANES)
        go_back(after(row, size, j, LANES), row, size, j, LANES);
    if (j < size)
        go_back(last, row, size, end, LANES);
}

/* ---- one layer -------------------------------------------------------------------------------------------- */

/* Tensors [steps, ...] are in order of time; `backwards` goes from the last step to the first.
 *
 * x            [steps, rows, features]
 * weight_ih    [4 size, features]
 * weight_hh    [4 size, size]
 * bias_ih, bias_hh [4 size]; NULL for none
 * hidden0, cell0   [rows, size], the state before the first step; NULL for zeros
 * mask         [steps, rows, size], dropout of what goes to the next layer: the numbers of a row side by side,
 *              rows at every mask_row, steps at every mask_step floats; NULL for none
 * gates        [steps, rows, 4 size], and 7 floats behind
 * hidden, cell [steps, rows, size]
 * passed       [steps, rows, size], what the next layer gets where it is not `hidden`; else NULL */
typedef struct {
    int32_t steps, rows, features, size, backwards;
    const float *weight_ih, *weight_hh, *bias_ih, *bias_hh, *hidden0, *cell0, *mask;
    int64_t mask_step, mask_row;
    float *x, *gates, *hidden, *cell, *passed;
} Layer;

/* The derivatives of a loss.
 *
 * out    [steps, rows, size]      by what the layer gave out, steps at every out_step floats; NULL for none
 * dh, dc [rows, size]             in: by the state after the last step; out: by the one before the first, dh only
 *                                 where there is a hidden0
 * x      [steps, rows, features]  by the input; may be the input's own place; NULL: not wanted
 * weight_ih, weight_hh            as the parameters
 * bias   [2, 4 size]              by both biases, which is the same */
typedef struct {
    const float *out;
    int64_t out_step;
    float *dh, *dc, *x, *weight_ih, *weight_hh, *bias;
} Derivatives;

/* So many steps go through all products before the next: as many as give the weights' gradients DEEP terms at a
 * time, while their gates stay in the second cache. */
static int steps_at_once(const Layer *layer)
{
    int deep = (DEEP + layer->rows - 1) / layer->rows, near = (int)(NEAR / ((int64_t)4 * layer->rows * layer->size));
    int steps = near < deep ? near : deep;
    return steps < 1 ? 1 : steps < layer->steps ? steps : layer->steps;
}

/* Fills gates with the gates' values, hidden and cell with the states. The sums of a step are one product, that of
 * a row's x, 1 and state before the step, side by side, with the weights by x, the biases, and the weights by the
 * state: so each sum is written once. */
static void layer_forward(const Layer *layer, float *room)
{
    int rows = layer->rows, size = layer->size, features = layer->features, steps = layer->steps;
    int bias = layer->bias_ih != NULL, stateless = features + bias, depth = stateless + size;
    int64_t state = (int64_t)rows * size, back = layer->backwards ? state : -state;
    float *packed = room, *biases = packed + (int64_t)depth * (4 * size + LANES), *joined = biases + 4 * size;
    for (int n = 0; bias && n < 4 * size; n++)
        biases[n] = layer->bias_ih[n] + layer->bias_hh[n];
    Rows weights[] = {
        {features, layer->weight_ih, 1, features}, {bias, biases, 0, 1}, {size, layer->weight_hh, 1, size}};
    pack(3, weights, 4 * size, packed);
    for (int step = 0; step < steps; step++) {
        int64_t at = layer->backwards ? steps - 1 - step : step;
        const float *x = layer->x + at * rows * features;
        float *now = layer->gates + 4 * state * at, *h = layer->hidden + state * at, *c = layer->cell + state * at;
        const float *last_h = step ? h + back : layer->hidden0, *last_c = step ? c + back : layer->cell0;
        for (int64_t r = 0; r < rows; r++) {
            float *row = joined + r * depth;
            memcpy(row, x + r * features, features * sizeof(float));
            if (bias)
                row[features] = 1.0f;
            if (last_h)
                memcpy(row + stateless, last_h + r * size, size * sizeof(float));
        }
        product(rows, 4 * size, depth, last_h ? depth : stateless, joined, packed, now);
        for (int64_t r = 0; r < rows; r++)
            row_forward(now + 4 * r * size, last_c ? last_c + r * size : NULL, c + r * size, h + r * size, size);
    }
}

/* to [columns, rows] = from [rows, columns] transposed. */
static void transpose(int rows, int columns, const float *from, float *to)
{
    for (int column = 0; column < columns; column += NEXT) {
        int end = column + NEXT < columns ? column + NEXT : columns;
        for (int i = 0; i < rows; i++)
            for (int n = column; n < end; n++)
                to[(int64_t)n * rows + i] = from[(int64_t)i * columns + n];
    }
}

/* Fills `by`; the layer's gates become the derivatives by their sums. */
static void layer_backward(const Layer *layer, const Derivatives *by, float *room)
{
    int rows = layer->rows, size = layer->size, features = layer->features, steps = layer->steps;
    int64_t state = (int64_t)rows * size, back = layer->backwards ? state : -state;
    float *packed_hh = room, *packed_ih = packed_hh + (int64_t)4 * size * (size + LANES);
    float *ih = packed_ih + (int64_t)4 * size * (features + LANES), *hh = ih + (int64_t)4 * size * features;
    float *more = hh + (int64_t)4 * size * size;
    Rows by_state = {4 * size, layer->weight_hh, size, 1}, by_x = {4 * size, layer->weight_ih, features, 1};
    pack(1, &by_state, size, packed_hh);
    if (by->x)
        pack(1, &by_x, features, packed_ih);
    memset(ih, 0, (int64_t)4 * size * (features + size) * sizeof(float)); /* both, transposed */
    memset(by->bias, 0, 4 * size * sizeof(float));
    for (int left = steps, some = steps_at_once(layer); left > 0; left -= some) {
        some = some < left ? some : left;
        for (int step = left - 1; step >= left - some; step--) {
            int64_t at = layer->backwards ? steps - 1 - step : step;
            float *now = layer->gates + 4 * state * at;
            const float *c = layer->cell + state * at, *last_c = step ? c + back : layer->cell0;
            for (int64_t r = 0; r < rows; r++) {
                int64_t begin = r * size;
                Row row = {now + 4 * begin, by->dc + begin, c + begin, last_c ? last_c + begin : NULL,
                           by->out ? by->out + by->out_step * at + begin : NULL, by->dh + begin};
                row_backward(row, size);
            }
            if (step || layer->hidden0)
                product(rows, size, 4 * size, 4 * size, now, packed_hh, by->dh);
        }
        int64_t first = layer->backwards ? steps - left : left - some;
        float *these = layer->gates + 4 * state * first;
        add_transposed(features, 4 * size, some * rows, layer->x + first * rows * features, these, ih, more);
        for (int64_t row = 0; row < (int64_t)some * rows; row++)
            for (int n = 0; n < 4 * size; n++)
                by->bias[n] += these[4 * row * size + n];
        if (by->x)
            product(some * rows, features, 4 * size, 4 * size, these, packed_ih,
                    by->x + first * rows * features);
        /* each step's gates times the state before it; that of the first step is no part of `hidden` */
        int start = left == some, after = layer->backwards ? 0 : start;
        if (some > start)
            add_transposed(size, 4 * size, (some - start) * rows, layer->hidden + state * (first + after) + back,
                           these + 4 * state * after, hh, more);
        if (start && layer->hidden0)
            add_transposed(size, 4 * size, rows, layer->hidden0,
                           these + (layer->backwards ? 4 * state * (some - 1) : 0), hh, more);
    }
    transpose(features, 4 * size, ih, by->weight_ih);
    transpose(size, 4 * size, hh, by->weight_hh);
    memcpy(by->bias + 4 * size, by->bias, 4 * size * sizeof(float));
}

/* ---- the stack -------------------------------------------------------------------------------------------- */

/* to [steps, rows, size] = from times the layer's mask; `to` may be `from`. */
static void drop(const Layer *layer, const float *from, float *to)
{
    int64_t size = layer->size;
    for (int64_t step = 0; step < layer->steps; step++)
        for (int64_t row = 0; row < layer->rows; row++, from += size, to += size) {
            const float *mask = layer->mask + step * layer->mask_step + row * layer->mask_row;
            for (int64_t n = 0; n < size; n++)
                to[n] = from[n] * mask[n];
        }
}

/* A layer of a whole batch, otherwise as in Layer. Places are floats from the beginning of a room, in which some of
 * the rows are; `passed` is -1 where there is none. `weights` is where its derivatives begin among those of all
 * layers: by weight_ih, by weight_hh, by both biases. */
typedef struct {
    int32_t features, size;
    const float *weight_ih, *weight_hh, *bias_ih, *bias_hh, *hidden0, *cell0, *mask;
    int64_t mask_step, mask_row, gates, cell, hidden, passed, weights;
} Given;

/* A batch and its layers.
 *
 * x    [steps, rows, features], the numbers of a row side by side, rows at every x_row, steps at every x_step floats
 * copy the place of some rows' x in a room
 * out  [steps, rows, size], filled with the last layer's hidden states; NULL: not wanted
 * h, c [rows, size], filled with its last states */
typedef struct {
    int32_t count, steps, rows, backwards;
    const Given *layers;
    const float *x;
    int64_t x_step, x_row, copy;
    float *out, *h, *c;
} Batch;

/* The derivatives of a loss. In: by what lstm_forward filled, of the same shapes, NULL for none. Out: by x, in one
 * piece, and by each layer's state before the first step, [2, rows, size]; NULL: not wanted. */
typedef struct {
    const float *out, *h, *c;
    float *x, *const *states;
} Back;

/* Floats at the beginning of a room, of the layer that needs most. */
EXPORT int64_t lstm_room(int rows, int features, int size)
{
    int64_t widest = features > size ? features : size;
    int64_t packed = (int64_t)(4 * size + LANES) * (features + size + 2 * LANES); /* or as many derivatives */
    int64_t joined = (int64_t)rows * (features + size + 1);
    return 2 * packed + DEEP * (widest + ROWS + WIDE) + joined + 2 * (int64_t)rows * size;
}

/* `count` stretches of `length` floats. */
static void copy(int64_t count, int64_t length, const float *from, int64_t from_next, float *to, int64_t to_next)
{
    for (int64_t k = 0; k < count; k++)
        memcpy(to + k * to_next, from + k * from_next, length * sizeof(float));
}

/* What layer k works with, of `rows` rows from `first` on. */
static Layer of_rows(const Batch *batch, int k, int first, int rows, float *room)
{
    const Given *given = batch->layers + k;
    int64_t x = k == 0 ? batch->copy : given[-1].passed < 0 ? given[-1].hidden : given[-1].passed;
    int64_t state = (int64_t)first * given->size;
    return (Layer){
        .steps = batch->steps,
        .rows = rows,
        .features = given->features,
        .size = given->size,
        .backwards = batch->backwards,
        .x = room + x,
        .weight_ih = given->weight_ih,
        .weight_hh = given->weight_hh,
        .bias_ih = given->bias_ih,
        .bias_hh = given->bias_hh,
        .hidden0 = given->hidden0 ? given->hidden0 + state : NULL,
        .cell0 = given->cell0 ? given->cell0 + state : NULL,
        .mask = given->mask ? given->mask + first * given->mask_row : NULL,
        .mask_step = given->mask_step,
        .mask_row = given->mask_row,
        .gates = room + given->gates,
        .cell = room + given->cell,
        .hidden = room + given->hidden,
        .passed = given->passed < 0 ? NULL : room + given->passed,
    };
}

/* `rows` rows from `first` on through all layers; what lstm_backward needs of them stays in the room. */
EXPORT void lstm_forward(const Batch *batch, int first, int rows, float *room)
{
    int64_t steps = batch->steps, features = batch->layers->features;
    for (int64_t step = 0; step < steps; step++)
        copy(rows, features, batch->x + step * batch->x_step + first * batch->x_row, batch->x_row,
             room + batch->copy + step * rows * features, features);
    for (int k = 0; k < batch->count; k++) {
        Layer layer = of_rows(batch, k, first, rows, room);
        layer_forward(&layer, room);
        if (layer.passed && layer.mask)
            drop(&layer, layer.hidden, layer.passed);
        else if (layer.passed)
            memcpy(layer.passed, layer.hidden, steps * rows * layer.size * sizeof(float));
    }
    Layer last = of_rows(batch, batch->count - 1, first, rows, room);
    int64_t state = (int64_t)rows * last.size, begin = (int64_t)first * last.size;
    int64_t end = batch->backwards ? 0 : (steps - 1) * state;
    memcpy(batch->h + begin, last.hidden + end, state * sizeof(float));
    memcpy(batch->c + begin, last.cell + end, state * sizeof(float));
    if (batch->out)
        copy(steps, state, last.hidden, state, batch->out + begin, (int64_t)batch->rows * last.size);
}

/* The same rows back. Every layer but the last has a `passed`, which is overwritten, as the gates are.
 *
 * weights: filled with the part that these rows have in the derivatives by all weights */
EXPORT void lstm_backward(const Batch *batch, const Back *back, int first, int rows, float *room, float *weights)
{
    for (int k = batch->count - 1; k >= 0; k--) {
        Layer layer = of_rows(batch, k, first, rows, room);
        int64_t size = layer.size, state = rows * size, whole = batch->rows * size, begin = first * size;
        float *dh = room + lstm_room(0, layer.features, layer.size), *dc = dh + state;
        float *ih = weights + batch->layers[k].weights, *hh = ih + 4 * size * layer.features;
        Derivatives by = {layer.passed, state, dh, dc, NULL, ih, hh, hh + 4 * size * size};
        memset(dh, 0, 2 * state * sizeof(float));
        if (layer.passed && layer.mask)
            drop(&layer, layer.passed, layer.passed);
        if (k == batch->count - 1) {
            by.out = back->out ? back->out + begin : NULL;
            by.out_step = whole;
            if (back->h)
                memcpy(dh, back->h + begin, state * sizeof(float));
            if (back->c)
                memcpy(dc, back->c + begin, state * sizeof(float));
        }
        if (k || back->x)
            by.x = layer.x; /* overwritten where it has been read */
        layer_backward(&layer, &by, room);
        if (back->states[k]) {
            memcpy(back->states[k] + begin, dh, state * sizeof(float));
            memcpy(back->states[k] + whole + begin, dc, state * sizeof(float));
        }
        if (!k && back->x)
            copy(batch->steps, (int64_t)rows * layer.features, by.x, (int64_t)rows * layer.features,
                 back->x + (int64_t)first * layer.features, (int64_t)batch->rows * layer.features);
    }
}

/* Of the arguments of the functions: lstm_kernel.py calls no library of another version. */
EXPORT int lstm_kernel_version(void)
{
    return 2;
}

#if defined(__x86_64__) && defined(__clang__)
#pragma clang attribute pop
#endif
