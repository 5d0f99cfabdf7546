// Work divided among threads: independent pieces, and products of matrices.
#pragma once

#include "description.hpp"
#include "matrix.hpp"

namespace ganglion::GANGLION_ISA {

constexpr double WORTH_A_THREAD = 2e6;  // operations, about 20 microseconds

// Calls work(piece, worker) for each piece, on several threads if there is a team.
template <class Work>
void each(Team* team, size_t pieces, Work work) {
    if (!team || pieces < 2)
        for (size_t piece = 0; piece < pieces; ++piece) work(piece, size_t(0));
    else
        team->run(
            pieces,
            [](void* context, size_t piece, size_t worker) { (*static_cast<Work*>(context))(piece, worker); },
            &work);
}

constexpr size_t WORTH_SHARING = 1 << 15;  // numbers that take a thread some microseconds
constexpr size_t MOST_SHARES = 16;

// Calls work(first row, row after the last) for parts of rows of `each_row` numbers, on several threads if
// there is a team and enough of them. What is computed for a row must not depend on the others.
template <class Work>
void each_rows(Team* team, size_t rows, size_t each_row, Work work) {
    const size_t shares = team ? smaller(smaller(rows, MOST_SHARES), rows * each_row / WORTH_SHARING) : 1;
    if (shares < 2) return work(size_t(0), rows);
    each(team, shares,
         [&](size_t share, size_t) { work(rows * share / shares, rows * (share + 1) / shares); });
}

// The workers on a product: a team or null, and one panel for each of its threads.
template <class T>
struct Workers {
    Team* team;
    T* panels;

    static constexpr size_t panel_size = DEPTH_AT_ONCE * tile_columns<T>;
    T* panel(size_t worker) const { return panels + worker * panel_size; }
};

// How a product is divided, so that contiguous memory goes to one thread.
enum class Cut { columns, rows };

constexpr size_t PIECES = 4;

template <class T, class Finish>
void shared_product(Workers<T> workers, Cut cut, size_t rows, size_t columns, size_t depth, Left<T> a,
                    Right<T> b, Start<T> start, T* c, size_t row, Epilogue<T> epilogue, Finish finish) {
    if (!workers.team || 2.0 * rows * columns * depth < WORTH_A_THREAD)
        return product<T>(rows, 0, columns, depth, a, b, start, c, row, workers.panel(0), epilogue, finish);
    constexpr size_t width = tile_columns<T>, height = 2 * tile_rows(TILE_VECTORS);
    const size_t across = (columns + width - 1) / width, down = (rows + height - 1) / height;
    const size_t wide = cut == Cut::rows ? 1 : smaller(across, 2 * PIECES);
    const size_t high = smaller(down, (PIECES + wide - 1) / wide);
    each(workers.team, wide * high, [&](size_t piece, size_t worker) {
        const size_t i = piece / wide, j = piece % wide;
        const size_t top = down * i / high * height, end = smaller(rows, down * (i + 1) / high * height);
        const size_t left = across * j / wide * width,
                     right = smaller(columns, across * (j + 1) / wide * width);
        product<T>(end - top, left, right, depth, {a.at + top * a.row, a.row, a.depth}, b,
                   start.moved(top, 0), c + top * row, row, workers.panel(worker), epilogue.moved(top * row),
                   [&](size_t r, size_t k, size_t m, size_t n) { finish(top + r, k, m, n); });
    });
}

}  // namespace ganglion::GANGLION_ISA
