// Products of matrices: C = start + A B, tile by tile, a tile being as much of C as fits in registers.
//
// A and C are read and written where they lie. B is too, unless its rows are so far apart that they would
// push each other out of the cache, or it is to be used transposed: then one panel of it, as wide as a
// tile, is copied first. When some tiles are done, `finish` is called on them while they are still in the
// nearest cache.
//
// Every number of C is summed in the order of the depth, regardless of its tile.
#pragma once

#include "vector.hpp"

namespace ganglion::GANGLION_ISA {

constexpr size_t TILE_VECTORS = GANGLION_REGISTERS == 32 ? 4 : 2;
// As many rows as fit, with registers left for a row of B and a number of A.
constexpr size_t tile_rows(size_t vectors) {
    const size_t rows = (GANGLION_REGISTERS - 2 - vectors) / vectors;
    return rows < 12 ? rows : 12;
}
template <class T>
constexpr size_t tile_columns = TILE_VECTORS * lanes<T>;

constexpr size_t smaller(size_t a, size_t b) { return a < b ? a : b; }
constexpr size_t larger(size_t a, size_t b) { return a < b ? b : a; }

template <class T>
struct Left {  // A: element (i, k) is at[i * row + k * depth]
    const T* at;
    size_t row, depth;
};

template <class T>
struct Right {  // B: element (k, j) is at[k * stride + j], or at[j * stride + k] where it is transposed
    const T* at;
    size_t stride;
    bool transposed;
};

// The initial values of C: element (i, j) is at[i * row + j], or 0 if `at` is null.
template <class T>
struct Start {
    const T* at;
    size_t row;

    Start moved(size_t i, size_t j) const { return {at ? at + i * row + j : at, row}; }
};

// What happens to the sums: nothing, or ReLU, forward (at least 0) or backward (0 where `seen`, laid out like
// C, is not above 0). `moved` returns the epilogue for the part of C that begins at an offset.
template <class T>
struct Epilogue {
    enum Kind { as_they_are, not_below_zero, where_positive } kind = as_they_are;
    const T* seen = nullptr;

    Epilogue moved(size_t at) const { return {kind, seen ? seen + at : seen}; }
};

template <class T, class Lanes>
GANGLION_INLINE Vector<T> finished(const Epilogue<T>& epilogue, Vector<T> sums, size_t at, Lanes lanes) {
    switch (epilogue.kind) {
        case Epilogue<T>::as_they_are: break;
        case Epilogue<T>::not_below_zero: return maximum<T>(sums, Vector<T>{});
        case Epilogue<T>::where_positive: return where_positive<T>(load(epilogue.seen + at, lanes), sums);
    }
    return sums;
}

// The arguments of a tile. They are read from memory one by one: reading several at once, right after they
// were written one by one, would stall.
template <class T>
struct Part {
    Left<T> a;
    const T* b;
    size_t stride, depth;
    Start<T> start;
    Epilogue<T> epilogue;
    T* c;
    size_t row;
    size_t last;  // used lanes of each row's last vector, if that is not whole
    // The depth may consist of `down` times `along` stretches, which lie apart in A.
    size_t down = 1, along = 1, step_down = 0, step_along = 0;
};

template <class T>
using Tile = void (*)(const Part<T>& part);

// Writes the sums of a tile to C.
template <class T, size_t Rows, size_t Vectors, class Last>
GANGLION_INLINE void write_tile(const Part<T>& part, const Vector<T> (&total)[Rows][Vectors], Last last) {
    constexpr size_t L = lanes<T>;
    const size_t row = part.row;
    T* c = part.c;
    const auto write = [&](auto finished) {
#pragma GCC unroll 16
        for (size_t i = 0; i < Rows; ++i) {
#pragma GCC unroll 8
            for (size_t j = 0; j + 1 < Vectors; ++j)
                store(c + i * row + j * L, finished(total[i][j], i * row + j * L, Whole{}), Whole{});
            const size_t at = i * row + (Vectors - 1) * L;
            store(c + at, finished(total[i][Vectors - 1], at, last), last);
        }
    };
    // A branch for each tile costs nothing; a tile of its own for each epilogue takes long to compile.
    const T* seen = part.epilogue.seen;
    switch (part.epilogue.kind) {
        case Epilogue<T>::as_they_are: return write([](Vector<T> sums, size_t, auto) { return sums; });
        case Epilogue<T>::not_below_zero:
            return write([](Vector<T> sums, size_t, auto) { return maximum<T>(sums, Vector<T>{}); });
        case Epilogue<T>::where_positive:
            return write([seen](Vector<T> sums, size_t at, auto lanes) {
                return where_positive<T>(load(seen + at, lanes), sums);
            });
    }
}

// `Last` is the type of each row's last vector: Whole, or First{part.last}.
template <class T, size_t Rows, size_t Vectors, class Last>
void tile(const Part<T>& part) {
    constexpr size_t L = lanes<T>;
    const auto last = [&part] {
        if constexpr (sizeof(Last) == sizeof(First)) return First{part.last};
        else return (void)part, Whole{};
    }();
    Vector<T> total[Rows][Vectors] = {};
    if (const T* from = part.start.at) {
        const size_t apart = part.start.row;
#pragma GCC unroll 16
        for (size_t i = 0; i < Rows; ++i) {
#pragma GCC unroll 8
            for (size_t j = 0; j + 1 < Vectors; ++j) total[i][j] = load(from + i * apart + j * L, Whole{});
            total[i][Vectors - 1] = load(from + i * apart + (Vectors - 1) * L, last);
        }
    }
    const Left<T> a = part.a;
    const T* b = part.b;
    const size_t stride = part.stride;
    for (size_t down = 0; down < part.down; ++down)
        for (size_t along = 0; along < part.along; ++along) {
            const T* from = a.at + down * part.step_down + along * part.step_along;
            const T* three[(Rows + 2) / 3];  // every third row of A; one instruction reaches the others
#pragma GCC unroll 8
            for (size_t i = 0; i < Rows; i += 3) three[i / 3] = from + i * a.row;
            for (size_t k = part.depth; k > 0; --k) {
                Vector<T> line[Vectors];
#pragma GCC unroll 8
                for (size_t j = 0; j + 1 < Vectors; ++j) line[j] = load(b + j * L, Whole{});
                line[Vectors - 1] = load(b + (Vectors - 1) * L, last);
#pragma GCC unroll 16
                for (size_t i = 0; i < Rows; ++i) {
                    const T factor = three[i / 3][i % 3 * a.row];
#pragma GCC unroll 8
                    for (size_t j = 0; j < Vectors; ++j) total[i][j] += line[j] * factor;
                }
#pragma GCC unroll 8
                for (size_t i = 0; i < Rows; i += 3) three[i / 3] += a.depth;
                b += stride;
            }
        }
    write_tile<T, Rows, Vectors>(part, total, last);
}

template <class T, size_t Vectors, class Last, size_t Rows = tile_rows(Vectors)>
GANGLION_INLINE Tile<T> pick_rows(size_t rows) {
    if constexpr (Rows > 1)
        if (rows < Rows) return pick_rows<T, Vectors, Last, Rows - 1>(rows);
    return tile<T, Rows, Vectors, Last>;
}

template <class T, class Last>
Tile<T> pick_vectors(size_t rows, size_t vectors) {
    if (vectors == 1) return pick_rows<T, 1, Last>(rows);
    if constexpr (TILE_VECTORS > 2) {
        if (vectors == 3) return pick_rows<T, 3, Last>(rows);
        if (vectors == 4) return pick_rows<T, 4, Last>(rows);
    }
    return pick_rows<T, 2, Last>(rows);
}

template <class T>
Tile<T> pick_tile(size_t rows, size_t columns) {
    const size_t vectors = (columns + lanes<T> - 1) / lanes<T>;
    return columns % lanes<T> ? pick_vectors<T, First>(rows, vectors) : pick_vectors<T, Whole>(rows, vectors);
}

// Whether rows of C are so short that a vector holds two numbers of the depth for each of their columns.
template <class T>
constexpr bool fits_in_pairs(size_t columns) {
    return sizeof(T) == 4 && lanes<T> >= 8 && 2 * columns <= lanes<T>;
}

// Two numbers that lie side by side, again and again.
template <class T>
GANGLION_INLINE Vector<T> broadcast_pair(const T* from) {
    int64_t both;
    memcpy(&both, from, sizeof(both));
    return (Vector<T>)(both - Integers<double>{});
}

// Writes a stretch of the depth of B in pairs of rows: b00 b10 b01 b11 ..., filled up with 0.
template <class T>
void pair_rows(const T* b, size_t stride, size_t depth, size_t columns, T* to) {
    for (size_t k = 0; k < depth; k += 2, to += lanes<T>) {
        memset(to, 0, GANGLION_BYTES);
        for (size_t j = 0; j < columns; ++j) {
            to[2 * j] = b[k * stride + j];
            if (k + 1 < depth) to[2 * j + 1] = b[(k + 1) * stride + j];
        }
    }
}

// A tile of short rows, of A whose depth is contiguous and B that `pair_rows` wrote. The sums over even and
// over odd places of the depth are added up at the end.
template <class T, size_t Rows>
void paired_tile(const Part<T>& part) {
    constexpr size_t L = lanes<T>;
    Vector<T> total[Rows][1] = {};
    const T* b = part.b;
    const size_t row = part.a.row;
    for (size_t down = 0; down < part.down; ++down)
        for (size_t along = 0; along < part.along; ++along) {
            const T* from = part.a.at + down * part.step_down + along * part.step_along;
            const T* three[(Rows + 2) / 3];
#pragma GCC unroll 8
            for (size_t i = 0; i < Rows; i += 3) three[i / 3] = from + i * row;
            for (size_t k = part.depth / 2; k > 0; --k) {
                const Vector<T> line = load(b, Whole{});
#pragma GCC unroll 16
                for (size_t i = 0; i < Rows; ++i)
                    total[i][0] += line * broadcast_pair<T>(three[i / 3] + i % 3 * row);
#pragma GCC unroll 8
                for (size_t i = 0; i < Rows; i += 3) three[i / 3] += 2;
                b += L;
            }
            if (part.depth % 2) {
                const Vector<T> line = load(b, Whole{});
#pragma GCC unroll 16
                for (size_t i = 0; i < Rows; ++i) total[i][0] += line * three[i / 3][i % 3 * row];
                b += L;
            }
        }
    const First last{part.last};
    Integers<T> even, odd;
    for (size_t i = 0; i < L; ++i) {
        even[i] = static_cast<int>(2 * i % L);
        odd[i] = static_cast<int>(2 * i % L + 1);
    }
    const Vector<T> start = part.start.at ? load(part.start.at, last) : Vector<T>{};
#pragma GCC unroll 16
    for (size_t i = 0; i < Rows; ++i)
        total[i][0] =
            start + shuffle<T>(total[i][0], total[i][0], even) + shuffle<T>(total[i][0], total[i][0], odd);
    write_tile<T, Rows, 1>(part, total, last);
}

template <class T, size_t Rows = tile_rows(1)>
Tile<T> pick_paired(size_t rows) {
    if constexpr (Rows > 1)
        if (rows < Rows) return pick_paired<T, Rows - 1>(rows);
    return paired_tile<T, Rows>;
}

// Copies columns first .. first + columns of B into a panel whose rows are `tile_columns` apart.
template <class T>
void copy_panel(Right<T> b, size_t first, size_t columns, size_t depth, T* panel) {
    constexpr size_t L = lanes<T>, width = tile_columns<T>;
    if (!b.transposed) {
        for (size_t k = 0; k < depth; ++k)
            sweep<T>(columns, [&](size_t j, auto part) {
                store(panel + k * width + j, load(b.at + k * b.stride + first + j, part), Whole{});
            });
        return;
    }
    for (size_t j = 0; j < columns; j += L)
        sweep<T>(depth, [&](size_t k, auto part) {
            Vector<T> square[L];
            for (size_t i = 0; i < L; ++i)
                square[i] = j + i < columns ? load(b.at + (first + j + i) * b.stride + k, part) : Vector<T>{};
            transpose<T>(square);
            const size_t rows = smaller(L, depth - k);
            for (size_t i = 0; i < rows; ++i) store(panel + (k + i) * width + j, square[i], Whole{});
        });
}

constexpr size_t FEW_ROWS = 4;      // so few that transposing B would cost more than it saves
constexpr size_t FAR_APART = 2048;  // bytes between rows of B from which a panel is copied
constexpr size_t ROWS_WORTH_A_COPY = 48;

// The scalar products of a row of A with `count` rows of B, one per lane.
template <class T>
GANGLION_INLINE Vector<T> scalar_products_at(const T* a, const T* b, size_t stride, size_t depth,
                                             size_t count) {
    constexpr size_t L = lanes<T>;
    Vector<T> total[L] = {};
    if (count == L) {
        sweep<T>(depth, [&](size_t k, auto part) {
            const Vector<T> line = load(a + k, part);
#pragma GCC unroll 16
            for (size_t r = 0; r < L; ++r) total[r] += line * load(b + r * stride + k, part);
        });
    } else {
        sweep<T>(depth, [&](size_t k, auto part) {
            const Vector<T> line = load(a + k, part);
            for (size_t r = 0; r < count; ++r) total[r] += line * load(b + r * stride + k, part);
        });
    }
    return sums<T>(total);
}

// C = A B for few rows of A and B transposed: each number is a scalar product of two rows.
template <class T, class Finish>
void scalar_products(size_t rows, size_t columns, size_t depth, Left<T> a, Right<T> b, T* c, size_t row,
                     Finish finish) {
    for (size_t i = 0; i < rows; ++i) {
        sweep<T>(columns, [&](size_t j, auto part) {
            const size_t count = smaller(lanes<T>, columns - j);
            store(c + i * row + j,
                  scalar_products_at<T>(a.at + i * a.row, b.at + j * b.stride, b.stride, depth, count), part);
        });
        finish(i, size_t(0), size_t(1), columns);
    }
}

constexpr size_t DEPTH_AT_ONCE = 512;     // so that a panel stays in the L2 cache
constexpr size_t WORTH_FINISHING = 1024;  // numbers, few enough for the L1 cache

// Columns first .. last of one stretch of the depth, as deep as a panel.
template <class T, class Finish>
GANGLION_INLINE void product_piece(size_t rows, size_t j, size_t columns, size_t deep, Left<T> a, const T* b,
                                   size_t stride, Start<T> start, T* c, size_t row, Epilogue<T> epilogue,
                                   Finish finish) {
    const size_t step = tile_rows((columns + lanes<T> - 1) / lanes<T>);
    const Tile<T> whole = pick_tile<T>(step, columns);
    Part<T> part = {a, b, stride, deep, start, epilogue.moved(j), c + j, row, columns % lanes<T>};
    size_t finished = 0;
    for (size_t i = 0; i < rows; i += step) {
        const size_t count = smaller(step, rows - i), done = i + count;
        part.a.at = a.at + i * a.row;
        part.c = c + i * row + j;
        part.start = start.moved(i, 0);
        part.epilogue = epilogue.moved(i * row + j);
        (count == step ? whole : pick_tile<T>(count, columns))(part);
        if (done == rows || (done - finished) * columns >= WORTH_FINISHING) {
            finish(finished, j, done - finished, columns);
            finished = done;
        }
    }
}

constexpr auto nothing = [](size_t, size_t, size_t, size_t) {};

// Columns first .. last of C. `panel` has room for DEPTH_AT_ONCE * tile_columns numbers. `finish` is called
// on completed parts of C, after the epilogue.
template <class T, class Finish>
void product(size_t rows, size_t first, size_t last, size_t depth, Left<T> a, Right<T> b, Start<T> start,
             T* c, size_t row, T* panel, Epilogue<T> epilogue, Finish finish) {
    constexpr size_t width = tile_columns<T>;
    const size_t parts = larger(1, (depth + DEPTH_AT_ONCE - 1) / DEPTH_AT_ONCE);
    const bool copies = b.transposed || (rows >= ROWS_WORTH_A_COPY && b.stride * sizeof(T) >= FAR_APART);
    for (size_t j = first; j < last; j += width) {
        const size_t columns = smaller(width, last - j);
        for (size_t piece = 0; piece < parts; ++piece) {
            const size_t k = depth * piece / parts, deep = depth * (piece + 1) / parts - k;
            const Right<T> below = {b.transposed ? b.at + k : b.at + k * b.stride, b.stride, b.transposed};
            if (copies) copy_panel<T>(below, j, columns, deep, panel);
            const Left<T> left = {a.at + k * a.depth, a.row, a.depth};
            const T* right = copies ? panel : below.at + j;
            const size_t stride = copies ? width : b.stride;
            const Start<T> from = piece ? Start<T>{c + j, row} : start.moved(0, j);
            if (piece + 1 == parts)
                product_piece<T>(rows, j, columns, deep, left, right, stride, from, c, row, epilogue, finish);
            else
                product_piece<T>(rows, j, columns, deep, left, right, stride, from, c, row, Epilogue<T>{},
                                 nothing);
        }
    }
}

// total[j] = (total[j] or 0) + sum over rows of x[i * columns + j].
template <class T>
void sum_rows(size_t rows, size_t columns, const T* x, T* total, bool add) {
    if (columns == 1) {  // a single column is contiguous
        Vector<T> parts[4] = {};
        sweep_by_4<T>(rows, [&](size_t i, auto part, size_t n) { parts[n] += load(x + i, part); });
        total[0] = (add ? total[0] : T(0)) + sum<T>(parts[0] + parts[1] + parts[2] + parts[3]);
        return;
    }
    sweep<T>(columns, [&](size_t j, auto part) {
        Vector<T> parts[4] = {};
        size_t i = 0;
        for (; i + 4 <= rows; i += 4)
#pragma GCC unroll 4
            for (size_t n = 0; n < 4; ++n) parts[n] += load(x + (i + n) * columns + j, part);
        for (; i < rows; ++i) parts[0] += load(x + i * columns + j, part);
        const Vector<T> sums = parts[0] + parts[1] + parts[2] + parts[3];
        store(total + j, add ? load(total + j, part) + sums : sums, part);
    });
}

// to[j * rows + i] = (that or 0) + from[i * columns + j].
template <class T>
void transpose_into(size_t rows, size_t columns, const T* from, T* to, bool add) {
    for (size_t j = 0; j < columns; ++j)
        for (size_t i = 0; i < rows; ++i)
            to[j * rows + i] = (add ? to[j * rows + i] : T(0)) + from[i * columns + j];
}

constexpr size_t SUMMED_AT_ONCE = 1024;  // numbers that are summed in their own precision

template <class T>
double total(size_t count, const T* values) {
    double sum_of_all = 0;
    for (size_t first = 0; first < count; first += SUMMED_AT_ONCE) {
        Vector<T> part_sums[4] = {};
        sweep_by_4<T>(smaller(SUMMED_AT_ONCE, count - first),
                      [&](size_t i, auto part, size_t n) { part_sums[n] += load(values + first + i, part); });
        sum_of_all += static_cast<double>(sum<T>(part_sums[0] + part_sums[1] + part_sums[2] + part_sums[3]));
    }
    return sum_of_all;
}

}  // namespace ganglion::GANGLION_ISA
