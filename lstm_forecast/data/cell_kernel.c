/* The cells of a plainly written file: where each one ends, and what number it is.
 *
 * What cuts.py and plain_numbers.py do with some fifty operations of numpy for each cell is one pass over the
 * bytes here. A number is the very double that Python's float gives, or left open. The caller makes sure of every
 * argument; nothing is checked or allocated here, and nothing read beyond the text. The first byte of a word is
 * its lowest one. */

#include <math.h>
#include <stdint.h>
#include <string.h>

enum {
    WORD = 8,          /* bytes */
    BLOCK = 64,        /* bytes that are looked at together, one bit of a word for each */
    MOST_DIGITS = 19,  /* of a mantissa: below 2^64 */
    MOST_DECIMALS = 22 /* a power of ten is exact in a double up to here */
};

#define EXPORT __attribute__((visibility("default")))
#define EACH(byte) (0x0101010101010101u * (uint64_t)(byte))

static uint64_t load(const uint8_t *from)
{
    uint64_t word;
    memcpy(&word, from, sizeof word);
    return word;
}

/* ---- where cells end -------------------------------------------------------------------------------------- */

/* Seen of cell_kernel.py; of all but the newlines it counts only whether there are any. */
typedef struct {
    int64_t newlines, unprinted, begins_blank, ends_blank;
} Seen;

/* A bit for each byte of a block, which are 0 or 1. */
static uint64_t bits_of(const uint8_t *bytes)
{
    uint64_t bits = 0;
    for (int k = 0; k < BLOCK; k += WORD)
        bits |= (load(bytes + k) * 0x0102040810204080u >> 56) << k;
    return bits;
}

/* Which bytes of a block are newlines or separators, and which are spaces. */
static uint64_t edges_of(const uint8_t *text, uint8_t separator, uint64_t *spaces, Seen *seen)
{
    uint8_t is_edge[BLOCK], is_space[BLOCK], newlines = 0, unprinted = 0;
    for (int k = 0; k < BLOCK; k++) { /* compilers make vectors of it */
        uint8_t newline = text[k] == '\n', edge = newline | (text[k] == separator);
        is_edge[k] = edge;
        is_space[k] = text[k] == ' ';
        newlines += newline;
        unprinted |= (text[k] < ' ') & (edge ^ 1);
    }
    seen->newlines += newlines;
    seen->unprinted |= unprinted;
    *spaces = bits_of(is_space);
    return bits_of(is_edge);
}

/* Puts the place of each newline and separator in order, and up to seven numbers without meaning behind them; gives
 * how many places there are. */
EXPORT int64_t cells_cut(const uint8_t *text, int64_t size, uint8_t separator, int64_t *places, Seen *seen)
{
    int64_t *next = places;
    uint64_t edge_before = 1, space_before = 0; /* of the last byte of the block before; a line begins */
    Seen all = {0};
    for (int64_t at = 0; at < size; at += BLOCK) {
        uint8_t last[BLOCK];
        const uint8_t *from = text + at;
        if (size - at < BLOCK) {
            memset(last, '0', sizeof last);
            from = memcpy(last, from, (size_t)(size - at));
        }
        uint64_t spaces, edges = edges_of(from, separator, &spaces, &all);
        all.begins_blank |= (spaces & (edges << 1 | edge_before)) != 0;
        all.ends_blank |= (edges & (spaces << 1 | space_before)) != 0;
        edge_before = edges >> (BLOCK - 1);
        space_before = spaces >> (BLOCK - 1);
        int count = __builtin_popcountll(edges);
        /* Always eight at once: a branch for each edge would be guessed wrongly too often. */
        for (int64_t *to = next; edges;)
            for (int k = 0; k < 8; k++, edges &= edges - 1)
                *to++ = at + __builtin_ctzll(edges | (uint64_t)1 << (BLOCK - 1));
        next += count;
    }
    *seen = all;
    return next - places;
}

/* ---- what number a cell is -------------------------------------------------------------------------------- */

/* Whether a word is eight digits. */
static int are_digits(uint64_t word)
{
    uint64_t values = word ^ EACH('0');
    return !((values | (values + EACH(0x80 - 10))) & EACH(0x80));
}

/* The number of eight digits: D. Lemire, "Quickly parsing eight digits", 2022. */
static uint64_t number_of(uint64_t word)
{
    word = (word & EACH(0x0f)) * 2561 >> 8;
    word = (word & 0x00ff00ff00ff00ffu) * 6553601 >> 16;
    return (word & 0x0000ffff0000ffffu) * 42949672960001u >> 32;
}

/* Hangs digits on a number, which means nothing beyond 19 of them; gives where they end. */
static const uint8_t *digits(const uint8_t *from, const uint8_t *end, uint64_t *number)
{
    uint64_t found = *number, word;
    for (; end - from >= WORD && are_digits(word = load(from)); from += WORD)
        found = found * 100000000 + number_of(word);
    for (; from < end && (uint8_t)(*from - '0') < 10; from++)
        found = found * 10 + (uint8_t)(*from - '0');
    *number = found;
    return from;
}

static const uint8_t *behind_zeros(const uint8_t *from, const uint8_t *end)
{
    while (from < end && *from == '0')
        from++;
    return from;
}

/* A mantissa over a power of ten, rounded once; NaN where it cannot be told to which side. Below 2^53 both are
 * exact, and so the rounding is that of one division (W. Clinger, "How to read floating point numbers accurately",
 * 1990). Above, the quotient is corrected by the remainder, which is exact but for its last bits: both ends of that
 * doubt have to give one number. */
static double divided(uint64_t mantissa, int64_t decimals)
{
    static const double powers[MOST_DECIMALS + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                     1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                                     1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    double high = (double)mantissa, power = powers[decimals], quotient = high / power;
    if (mantissa < (uint64_t)1 << 53)
        return quotient;
    double rest = (double)(int64_t)(mantissa - (uint64_t)high);
    double correction = (fma(-quotient, power, high) + rest) / power, doubt = quotient * 0x1p-97;
    double lower = quotient + (correction - doubt), upper = quotient + (correction + doubt);
    return lower == upper ? lower : NAN;
}

enum { MARKED = 1, DECIDED = 2, OPEN = 4 };

/* Puts the number of each cell, and NaN where it is left open: other than digits with at most one mark and a
 * minus before them, or too many digits. Gives what was found: MARKED, a number has a mark; DECIDED, one has other
 * than three digits behind it; OPEN, a cell is left open. */
EXPORT int cells_read(const uint8_t *text, const int64_t *begins, const int64_t *sizes, int64_t count, uint8_t mark,
                      double *numbers)
{
    int found = 0;
    for (int64_t k = 0; k < count; k++) {
        const uint8_t *begin = text + begins[k], *end = begin + sizes[k];
        int is_negative = begin < end && *begin == '-';
        begin += is_negative;
        uint64_t mantissa = 0;
        const uint8_t *first = behind_zeros(begin, end), *stop = digits(first, end, &mantissa);
        int64_t significant = stop - first, decimals = 0;
        int is_marked = stop < end && *stop == mark;
        if (is_marked) {
            const uint8_t *behind = stop + 1;
            first = significant ? behind : behind_zeros(behind, end);
            stop = digits(first, end, &mantissa);
            significant += stop - first;
            decimals = stop - behind;
        }
        int is_number = stop == end && end - begin > is_marked; /* not a mark alone */
        double number = is_number && significant <= MOST_DIGITS && decimals <= MOST_DECIMALS
                            ? divided(mantissa, decimals)
                            : NAN;
        numbers[k] = is_negative ? -number : number;
        if (number != number)
            found |= OPEN;
        else if (is_marked)
            found |= decimals == 3 ? MARKED : MARKED | DECIDED;
    }
    return found;
}

EXPORT int cell_kernel_version(void)
{
    return 1;
}
