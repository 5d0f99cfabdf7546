"""From a text to the sums over its n-grams, in C: without memory of its own, one character at a time."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from ganglion.files.exports.inputs import CodedText, GramTable

if TYPE_CHECKING:
    from ganglion.files.exports.c.file import File

TEXTS = r"""
/* The next code point of a text in UTF-8, U+FFFD for what is none; the end is 0. */
static unsigned int next_point(const unsigned char **text) {
    const unsigned int lead = **text;
    int more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : lead >= 0xC0 ? 1 : 0;
    unsigned int point = lead < 0x80 ? lead : lead & (0x3FU >> more);
    if (lead == 0) {
        return 0;
    }
    (*text)++;
    if (lead >= 0x80 && lead < 0xC0) {
        return 0xFFFD;
    }
    for (; more > 0; more--) {
        if ((**text & 0xC0) != 0x80) {
            return 0xFFFD;
        }
        point = point << 6 | (**text & 0x3FU);
        (*text)++;
    }
    return point > 0x10FFFF ? 0xFFFD : point;
}

/* The last place in an ascending table whose number is at most the given one, -1 if there is none. */
static int last_before(const unsigned int *numbers, int count, unsigned int number) {
    int low = -1;
    int high = count;
    while (high - low > 1) {
        const int middle = low + (high - low) / 2;
        if (numbers[middle] <= number) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

/* G for a gap, W for a part of a word, S for a sign, N for nothing. */
static char kind_of(unsigned int point) {
    return letter_kinds[last_before(letter_starts, LETTER_COUNT, point)];
}

static unsigned int lowered(unsigned int point) {
    const int run = last_before(lower_firsts, LOWER_COUNT, point);
    if (run < 0 || point > lower_lasts[run] || (point - lower_firsts[run]) % lower_steps[run] != 0) {
        return point;
    }
    return (unsigned int)((int)point + lower_moves[run]);
}

/* N-grams that are still growing: their hashes (FNV-1a), and how many units each has. */
typedef struct {
    unsigned long long hash[8];
    int length[8];
    int count;
} growing;

static void grow(growing *grams, unsigned int point) {
    for (int i = 0; i < grams->count; i++) {
        grams->hash[i] = (grams->hash[i] ^ point) * 0x100000001B3ULL;
    }
}

static void begin(growing *grams, int characters) {
    grams->hash[grams->count] = 0xCBF29CE484222325ULL;
    grams->hash[grams->count] = (grams->hash[grams->count] ^ (characters ? 2U : 1U)) * 0x100000001B3ULL;
    grams->length[grams->count] = 0;
    grams->count++;
}

/* Count the n-grams that end here, in the row of their bucket, and drop those of full length. */
static void finish(growing *grams, int least, int most, int bits, const unsigned int *buckets, int rows,
                   unsigned short *counts) {
    int kept = 0;
    for (int i = 0; i < grams->count; i++) {
        grams->length[i]++;
        if (grams->length[i] >= least) {
            const unsigned long long mixed = (grams->hash[i] ^ grams->hash[i] >> 32) * 0x9E3779B97F4A7C15ULL;
            const unsigned int bucket = (unsigned int)(mixed >> (64 - bits));
            const int row = last_before(buckets, rows, bucket);
            if (row >= 0 && buckets[row] == bucket && counts[row] < 65535) {
                counts[row]++;
            }
        }
        if (grams->length[i] < most) {
            grams->hash[kept] = grams->hash[i];
            grams->length[kept] = grams->length[i];
            kept++;
        }
    }
    grams->count = kept;
}

static void count_grams(const char *given, int characters, int least, int most, int bits,
                        const unsigned int *buckets, int rows, unsigned short *counts) {
    const unsigned char *text = (const unsigned char *)given;
    growing grams;
    int inside = 0;
    int more = 1;
    grams.count = 0;
    while (more) {
        unsigned int point = next_point(&text);
        char kind = point == 0 ? 'G' : kind_of(point);
        more = point != 0;
        if (point == 0x3A3 && inside) { /* a sigma at the end of a word */
            const unsigned char *ahead = text;
            const unsigned int next = next_point(&ahead);
            point = next != 0 && kind_of(next) == 'W' ? 0x3C3 : 0x3C2;
        }
        point = lowered(point);
        if (kind == 'N') {
            continue;
        }
        if (inside && kind != 'W') {
            if (characters) {
                begin(&grams, characters);
                grow(&grams, 3);
            }
            finish(&grams, least, most, bits, buckets, rows, counts);
            grams.count = characters ? 0 : grams.count;
            inside = 0;
        }
        if (kind == 'G' || (kind == 'S' && characters)) {
            continue;
        }
        if (!characters && !inside) {
            grow(&grams, ' ');
            begin(&grams, characters);
        }
        if (characters && !inside) {
            begin(&grams, characters);
            grow(&grams, 2);
            finish(&grams, least, most, bits, buckets, rows, counts);
        }
        if (characters) {
            begin(&grams, characters);
        }
        grow(&grams, point);
        if (characters || kind == 'S') {
            finish(&grams, least, most, bits, buckets, rows, counts);
        }
        inside = kind == 'W';
    }
}

/* Add the numbers of a text's n-grams of one kind, each times its weight; return how many are known. */
static int sum_grams(const char *text, int characters, int least, int most, int bits,
                     const unsigned int *buckets, const float *rarity, const signed char *weights,
                     const float *scales, int rows, int units, unsigned short *counts, double *sums) {
    double squares = 0.0;
    int known = 0;
    for (int i = 0; i < rows; i++) {
        counts[i] = 0;
    }
    count_grams(text, characters, least, most, bits, buckets, rows, counts);
    for (int i = 0; i < rows; i++) {
        if (counts[i] > 0) {
            const double weight = (1.0 + log((double)counts[i])) * (double)rarity[i];
            squares += weight * weight;
            known++;
        }
    }
    for (int i = 0; i < rows; i++) {
        if (counts[i] > 0) {
            const double weight = (1.0 + log((double)counts[i])) * (double)rarity[i] / sqrt(squares);
            for (int j = 0; j < units; j++) {
                sums[j] += weight * (double)scales[i] * (double)weights[i * units + j];
            }
        }
    }
    return known;
}
"""
LAST_POINT = 0x110000


def text_lines(file: File, column: CodedText, field: str, first: int) -> list[str]:
    """Return the lines that make the features of a text."""
    _letters(file, column)
    sums = sum(len(table.bias) for table in column.tables)
    most = max(len(table.buckets) for table in column.tables)
    lines = [
        f'const char *text = is_missing(row->{field}) ? "" : row->{field};',
        f"unsigned short counts[{max(most, 1)}];",
        f"double sums[{sums}];",
        "int known = 0;",
    ]
    file.stack += 2 * most + 8 * sums
    start = 0
    for number, table in enumerate(column.tables):
        lines += _sums(file, table, f"{field}_{number}", start, is_first=not number)
        start += len(table.bias)
    center = file.table(f"{field}_center", column.center, "double")
    scale = file.table(f"{field}_scale", column.scale, "double")
    value = f"known > 0 ? (float)((sums[i] - {center}[i]) / {scale}[i]) : 0.0f"
    return [*lines, f"for (int i = 0; i < {sums}; i++) {{ x[{first} + i] = {value}; }}"]


def _sums(file: File, table: GramTable, name: str, start: int, is_first: bool) -> list[str]:
    units, rows = len(table.bias), len(table.buckets)
    bias = file.table(f"{name}_bias", table.bias)
    lines = [f"for (int i = 0; i < {units}; i++) {{ sums[{start} + i] = (double){bias}[i]; }}"]
    if not rows:
        return lines
    arrays = [
        file.table(f"{name}_buckets", table.buckets, "unsigned int"),
        file.table(f"{name}_rarity", table.rarity),
        file.table(f"{name}_weights", table.weights, "signed char"),
        file.table(f"{name}_scales", table.scales),
    ]
    for kind in table.kinds:
        settings = f"{int(kind.characters)}, {kind.least}, {kind.most}, {table.bits}"
        call = f"sum_grams(text, {settings}, {', '.join(arrays)}, {rows}, {units}, counts, sums + {start})"
        lines.append(f"known += {call};" if is_first else f"{call};")
    return lines


def _letters(file: File, column: CodedText) -> None:
    """Add the tables of code points, once."""
    if any(" letter_starts[" in each for each in file.data):
        return
    runs = [(kind, int(length, 36)) for kind, length in re.findall("([A-Z])([0-9a-z]+)", column.letters)]
    starts, at = list[int](), 0
    for _, length in runs:
        starts.append(at)
        at += length
    file.table("letter_starts", starts, "unsigned int")
    kinds = "".join(kind for kind, _ in runs)
    file.data.append(f'static const char letter_kinds[] = "{kinds}";\n')
    file.bytes += len(kinds)
    firsts, lasts, steps, moves = zip(*_lower_runs(), strict=True)
    for name, values in (("firsts", firsts), ("lasts", lasts), ("steps", steps)):
        file.table(f"lower_{name}", values, "unsigned int")
    file.table("lower_moves", moves, "int")
    counted = TEXTS.replace("LETTER_COUNT", str(len(runs))).replace("LOWER_COUNT", str(len(firsts)))
    file.use(counted)


@cache
def _lower_runs() -> list[tuple[int, int, int, int]]:
    """Return runs of code points with the lower case of each: first, last, step, and how far to move."""
    runs: list[list[int]] = []
    for point in range(LAST_POINT):
        lower = chr(point).lower()
        if len(lower) != 1 or ord(lower) == point:
            continue
        move = ord(lower) - point
        if runs and runs[-1][3] == move and point - runs[-1][1] in (1, 2):
            step = point - runs[-1][1]
            if runs[-1][0] == runs[-1][1] or runs[-1][2] == step:
                runs[-1][1:3] = [point, step]
                continue
        runs.append([point, point, 1, move])
    return [(first, last, step, move) for first, last, step, move in runs]
