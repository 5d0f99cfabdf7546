// Convolution: z[i, j] = sum over the kernel of x[patch at i, j] W, + b, and its gradients, image by image.
//
// With the padding in place, a patch is rows of contiguous numbers, so that each row of windows is a product
// of a matrix of patches, which need not be copied, and the kernels. The gradient with respect to the input
// is the same product of the gradient of the output and the kernels turned around. That of the kernels is a
// product with the patches transposed.
#pragma once

#include "winograd.hpp"

namespace ganglion::GANGLION_ISA {

struct Axis {  // windows along one axis, as in core/layers/windows.py
    size_t size, window, stride, dilation, count;
    ptrdiff_t before;

    size_t reach() const { return (window - 1) * dilation + 1; }
    size_t covered() const { return (count - 1) * stride + reach(); }
    bool is_inside() const { return before == 0 && covered() <= size; }
};

struct Geometry {
    Axis height, width;
    size_t channels, filters, groups;
    bool tiled = false;  // whether products are saved, see winograd.hpp

    size_t x() const { return height.size * width.size * channels; }
    size_t z() const { return height.count * width.count * filters; }
    size_t weight() const { return height.window * width.window * (channels / groups) * filters; }
    bool is_padded() const { return !height.is_inside() || !width.is_inside(); }
    bool is_depthwise() const { return groups > 1 && groups == channels && groups == filters; }
    // The size of an image that lies where the windows expect it, and the numbers in a row of it.
    size_t down() const { return is_padded() ? height.covered() : height.size; }
    size_t across() const { return is_padded() ? width.covered() : width.size; }
    size_t row() const { return across() * channels; }

    // The convolution from the gradient of z to that of x.
    Geometry back() const { return {back(height), back(width), filters, channels, groups}; }

    // The same, with tiles of two windows along each axis if that pays.
    Geometry in_tiles() const {
        Geometry found = *this;
        const size_t windows = height.count * width.count;
        found.tiled = suits(height) && suits(width) && groups == 1 &&
                      smaller(channels, filters) >= FEWEST_CHANNELS && windows >= FEWEST_WINDOWS &&
                      windows * channels * filters >= LEAST_WORK;
        return found;
    }
    Strip strip() const { return strip_of((height.count + 1) / 2, (width.count + 1) / 2, channels, filters); }

private:
    static constexpr size_t FEWEST_CHANNELS = 16, FEWEST_WINDOWS = 64, LEAST_WORK = 1 << 15;

    static bool suits(const Axis& axis) { return axis.window == 3 && axis.stride == 1 && axis.dilation == 1; }
    static Axis back(const Axis& axis) {
        return {(axis.count - 1) * axis.stride + 1,
                axis.window,
                1,
                axis.dilation,
                axis.size,
                static_cast<ptrdiff_t>(axis.reach() - 1) - axis.before};
    }
};

// Copies an image to where its windows expect it; `stride` places lie between its elements along each axis.
// Places that no element lies on are 0 already.
template <class T>
void place(const Geometry& to, size_t stride_down, size_t stride_along, size_t rows, size_t columns,
           const T* from, T* room) {
    const size_t channels = to.channels, across = to.across();
    for (size_t i = 0; i < rows; ++i) {
        const ptrdiff_t row = static_cast<ptrdiff_t>(i * stride_down) + to.height.before;
        if (row < 0 || row >= static_cast<ptrdiff_t>(to.down())) continue;
        T* line = room + static_cast<size_t>(row) * across * channels;
        const T* own = from + i * columns * channels;
        if (stride_along == 1) {
            const ptrdiff_t first = to.width.before;
            const size_t skipped = first < 0 ? static_cast<size_t>(-first) : 0;
            const size_t begin = first < 0 ? 0 : static_cast<size_t>(first);
            if (begin >= across || skipped >= columns) continue;
            const size_t count = smaller(columns - skipped, across - begin);
            memcpy(line + begin * channels, own + skipped * channels, count * channels * sizeof(T));
            continue;
        }
        for (size_t j = 0; j < columns; ++j) {
            const ptrdiff_t column = static_cast<ptrdiff_t>(j * stride_along) + to.width.before;
            if (column < 0 || column >= static_cast<ptrdiff_t>(across)) continue;
            memcpy(line + static_cast<size_t>(column) * channels, own + j * channels, channels * sizeof(T));
        }
    }
}

// The depth of the products of a group: `down` x `along` stretches of `depth` contiguous numbers of a patch.
struct Stretches {
    size_t down, along, depth, step_down, step_along;

    Stretches(const Geometry& g) {
        const size_t own = g.channels / g.groups;
        const bool whole = g.width.dilation == 1 && g.groups == 1;
        down = g.height.window;
        along = whole ? 1 : g.width.window;
        depth = whole ? g.width.window * own : own;
        step_down = g.height.dilation * g.row();
        step_along = g.width.dilation * g.channels;
    }
};

// Calls body(first, count) for parts of about equal size, none larger than `most`.
template <class Body>
GANGLION_INLINE void each_part(size_t total, size_t most, Body body) {
    const size_t parts = (total + most - 1) / most;
    for (size_t part = 0; part < parts; ++part) {
        const size_t first = total * part / parts;
        body(first, total * (part + 1) / parts - first);
    }
}

template <class T>
constexpr size_t rows_of_tile(size_t columns) {
    return tile_rows((columns + lanes<T> - 1) / lanes<T>);
}

// Whether the kernels are taken in pairs, as there are few filters; see `paired_tile`.
template <class T>
bool is_paired(const Geometry& g) {
    return g.groups == 1 && fits_in_pairs<T>(g.filters);
}
template <class T>
size_t prepared_size(const Geometry& g) {
    if (g.tiled) return POINTS * g.channels * g.filters;
    const Stretches own(g);
    return is_paired<T>(g) ? own.down * own.along * ((own.depth + 1) / 2) * lanes<T> : 0;
}
// The kernels as `correlate` takes them: as points or in pairs, which are written to `room`, or as they are.
template <class T>
const T* prepared(const Geometry& g, const T* weight, T* room) {
    if (g.tiled) return transform_kernels<T>(g.channels * g.filters, weight, room), room;
    if (!is_paired<T>(g)) return weight;
    const Stretches own(g);
    const size_t count = own.down * own.along, size = (own.depth + 1) / 2 * lanes<T>;
    for (size_t i = 0; i < count; ++i)
        pair_rows<T>(weight + i * own.depth * g.filters, g.filters, own.depth, g.filters, room + i * size);
    return room;
}

// Calls work(strip, first row of tiles, numbers in a row of z) for each strip of an image.
template <class Work>
void each_strip(const Geometry& g, Work work) {
    Strip strip = g.strip();
    const size_t all = (g.height.count + 1) / 2, step = strip.tiles_down;
    for (size_t i = 0; i < all; i += step) {
        strip.tiles_down = smaller(step, all - i);
        work(strip, i, g.width.count * g.filters);
    }
}

// z of one image by tiles, strip by strip, which are laid out in `room`.
template <class T>
void correlate_tiles(const Geometry& g, const View<T>& x, const T* points, const T* bias, T* z,
                     Epilogue<T> epilogue, T* room) {
    each_strip(g, [&](const Strip& strip, size_t i, size_t row) {
        T* sums = room + POINTS * strip.apart<T>(g.channels);
        transform_patches<T>(strip, x, i, room);
        multiply_points<T>(strip, room, points, sums);
        transform_sums<T>(strip, sums, bias, epilogue.moved(2 * i * row), g.height.count - 2 * i,
                          g.width.count, row, z + 2 * i * row);
    });
}

// z of one image whose padding is in place. `weight` comes from `prepared`, and `bias` may be null.
template <class T>
void correlate(const Geometry& g, const T* x, const T* weight, const T* bias, T* z,
               Epilogue<T> epilogue = {}) {
    const Stretches own(g);
    const size_t columns_each = g.filters / g.groups, channels_each = g.channels / g.groups;
    const bool paired = is_paired<T>(g);
    for (size_t group = 0; group < g.groups; ++group)
        each_part(columns_each, tile_columns<T>, [&](size_t j, size_t columns) {
            const size_t first = group * columns_each + j;
            for (size_t i = 0; i < g.height.count; ++i)
                each_part(g.width.count, rows_of_tile<T>(columns), [&](size_t k, size_t rows) {
                    const size_t at = (i * g.width.count + k) * g.filters + first;
                    const T* patch = x + i * g.height.stride * g.row() + k * g.width.stride * g.channels +
                                     group * channels_each;
                    const Part<T> part = {{patch, g.width.stride * g.channels, 1},
                                          weight + first,
                                          g.filters,
                                          own.depth,
                                          {bias ? bias + first : nullptr, 0},
                                          epilogue.moved(at),
                                          z + at,
                                          g.filters,
                                          columns % lanes<T>,
                                          own.down,
                                          own.along,
                                          own.step_down,
                                          own.step_along};
                    (paired ? pick_paired<T>(rows) : pick_tile<T>(rows, columns))(part);
                });
        });
}

// The gradient of the kernels of few filters, from `height` rows of windows: of `Lines` stretches of a patch,
// and of `Pairs` pairs of places in each. A vector holds the filters of two places, which take turns. The
// last pair may overlap the one before it: then a place is summed twice, and nothing beyond the stretch is
// read.
template <class T, size_t Lines, size_t Pairs>
void correlate_back_pairs(const Geometry& g, const Stretches& own, size_t height, const T* x, const T* grad,
                          size_t places, T* gradient) {
    constexpr size_t L = lanes<T>;
    const First filters{g.filters};
    const size_t step = g.width.stride * g.channels;
    const auto place = [places](size_t pair) { return pair + 1 < Pairs ? 2 * pair : places - 2; };
    const auto row = [&](size_t line, size_t at) { return gradient + (line * own.depth + at) * g.filters; };
    Integers<T> both, even, odd, mixed;
    for (size_t i = 0; i < L; ++i) {
        both[i] = static_cast<int>(i / 2);
        mixed[i] = static_cast<int>(i / 2 + i % 2 * L);
        even[i] = static_cast<int>(2 * i % L);
        odd[i] = static_cast<int>(2 * i % L + 1);
    }
    Vector<T> total[Lines][Pairs];
#pragma GCC unroll 8
    for (size_t line = 0; line < Lines; ++line)
#pragma GCC unroll 16
        for (size_t pair = 0; pair < Pairs; ++pair)
            total[line][pair] = shuffle<T>(load(row(line, place(pair)), filters),
                                           load(row(line, place(pair) + 1), filters), mixed);
    for (size_t i = 0; i < height; ++i) {
        const T* from[Lines];
#pragma GCC unroll 8
        for (size_t line = 0; line < Lines; ++line)
            from[line] = x + i * g.height.stride * g.row() + line * own.step_down;
        const size_t last = places - 2;
        for (size_t j = g.width.count; j > 0; --j) {
            const Vector<T> value = load(grad, filters), twice = shuffle<T>(value, value, both);
#pragma GCC unroll 8
            for (size_t line = 0; line < Lines; ++line) {
#pragma GCC unroll 16
                for (size_t pair = 0; pair + 1 < Pairs; ++pair)
                    total[line][pair] += twice * broadcast_pair<T>(from[line] + 2 * pair);
                total[line][Pairs - 1] += twice * broadcast_pair<T>(from[line] + last);
                from[line] += step;
            }
            grad += g.filters;
        }
    }
#pragma GCC unroll 8
    for (size_t line = 0; line < Lines; ++line)
#pragma GCC unroll 16
        for (size_t pair = 0; pair < Pairs; ++pair) {
            const Vector<T> sums = total[line][pair];
            store(row(line, place(pair)), shuffle<T>(sums, sums, even), filters);
            store(row(line, place(pair) + 1), shuffle<T>(sums, sums, odd), filters);
        }
}

template <class T>
using BackPairs = void (*)(const Geometry&, const Stretches&, size_t, const T*, const T*, size_t, T*);
constexpr size_t MOST_PAIRS = GANGLION_REGISTERS == 32 ? 15 : 12;  // sums that stay in registers

template <class T, size_t Lines, size_t Pairs = MOST_PAIRS / Lines>
BackPairs<T> pick_back_pairs(size_t pairs) {
    if constexpr (Pairs > 1)
        if (pairs < Pairs) return pick_back_pairs<T, Lines, Pairs - 1>(pairs);
    return correlate_back_pairs<T, Lines, Pairs>;
}

constexpr size_t STRIPE = 4096;  // numbers of a gradient, few enough for the L1 cache

// Adds the gradient of the kernels from one image.
template <class T>
void correlate_back(const Geometry& g, const T* x, const T* grad, T* gradient) {
    const Stretches own(g);
    const size_t columns_each = g.filters / g.groups, channels_each = g.channels / g.groups;
    const size_t line_size = g.width.count * g.filters;
    const size_t stripe = larger(1, smaller(g.height.count, STRIPE / line_size));
    for (size_t top = 0; top < g.height.count; top += stripe) {
        const size_t height = smaller(stripe, g.height.count - top);
        if (is_paired<T>(g) && own.along == 1 && own.depth > 1) {
            for (size_t line = 0, lines = 0; line < own.down; line += lines) {
                const size_t left = own.down - line, pairs = (own.depth + 1) / 2;
                lines = left >= 5 && 5 * pairs <= MOST_PAIRS   ? 5
                        : left >= 3 && 3 * pairs <= MOST_PAIRS ? 3
                                                               : 1;
                each_part(pairs, MOST_PAIRS / lines, [&](size_t pair, size_t count) {
                    const size_t places = smaller(2 * count, own.depth - 2 * pair);
                    const auto sums = lines == 5   ? pick_back_pairs<T, 5>(count)
                                      : lines == 3 ? pick_back_pairs<T, 3>(count)
                                                   : pick_back_pairs<T, 1>(count);
                    sums(
                        g, own, height, x + top * g.height.stride * g.row() + line * own.step_down + 2 * pair,
                        grad + top * line_size, places, gradient + (line * own.depth + 2 * pair) * g.filters);
                });
            }
            continue;
        }
        for (size_t group = 0; group < g.groups; ++group)
            for (size_t stretch = 0; stretch < own.down * own.along; ++stretch)
                each_part(columns_each, tile_columns<T>, [&](size_t j, size_t columns) {
                    const size_t first = group * columns_each + j;
                    each_part(own.depth, rows_of_tile<T>(columns), [&](size_t k, size_t rows) {
                        const T* from = x + stretch / own.along * own.step_down +
                                        stretch % own.along * own.step_along +
                                        top * g.height.stride * g.row() + group * channels_each + k;
                        T* to = gradient + (stretch * own.depth + k) * g.filters + first;
                        const Part<T> part = {{from, 1, g.width.stride * g.channels},
                                              grad + top * line_size + first,
                                              g.filters,
                                              g.width.count,
                                              {to, g.filters},
                                              {},
                                              to,
                                              g.filters,
                                              columns % lanes<T>,
                                              height,
                                              1,
                                              g.height.stride * g.row(),
                                              0};
                        pick_tile<T>(rows, columns)(part);
                    });
                });
    }
}

// Adds the gradient of the points of the kernels from one image; `room` is that of `correlate_tiles`.
template <class T>
void correlate_back_tiles(const Geometry& g, const View<T>& x, const T* grad, T* gradient, T* room) {
    each_strip(g, [&](const Strip& strip, size_t i, size_t row) {
        T* sums = room + POINTS * strip.apart<T>(g.channels);
        transform_patches<T>(strip, x, i, room);
        transform_gradients<T>(strip, grad + 2 * i * row, g.height.count - 2 * i, g.width.count, row, sums);
        multiply_points_back<T>(strip, room, sums, gradient);
    });
}

// The same if each channel has one filter of its own: with vectors along the channels.
template <class T>
void correlate_depthwise(const Geometry& g, const T* x, const T* weight, const T* bias, T* z) {
    constexpr size_t at_once = 4;
    const size_t channels = g.channels, step = g.width.stride * channels;
    sweep<T>(channels, [&](size_t c, auto part) {
        const Vector<T> start = bias ? load(bias + c, part) : Vector<T>{};
        for (size_t i = 0; i < g.height.count; ++i)
            for (size_t j = 0; j < g.width.count; j += at_once) {
                const size_t count = smaller(at_once, g.width.count - j);
                Vector<T> total[at_once] = {start, start, start, start};
                const T* patch = x + i * g.height.stride * g.row() + j * step + c;
                for (size_t down = 0; down < g.height.window; ++down)
                    for (size_t along = 0; along < g.width.window; ++along) {
                        const Vector<T> w =
                            load(weight + (down * g.width.window + along) * channels + c, part);
                        const T* from =
                            patch + down * g.height.dilation * g.row() + along * g.width.dilation * channels;
                        if (count == at_once)
#pragma GCC unroll 4
                            for (size_t n = 0; n < at_once; ++n) total[n] += load(from + n * step, part) * w;
                        else
                            for (size_t n = 0; n < count; ++n) total[n] += load(from + n * step, part) * w;
                    }
                T* to = z + (i * g.width.count + j) * channels + c;
                for (size_t n = 0; n < count; ++n) store(to + n * channels, total[n], part);
            }
    });
}

template <class T>
void correlate_back_depthwise(const Geometry& g, const T* x, const T* grad, T* gradient) {
    const size_t channels = g.channels, step = g.width.stride * channels;
    sweep<T>(channels, [&](size_t c, auto part) {
        for (size_t down = 0; down < g.height.window; ++down)
            for (size_t along = 0; along < g.width.window; ++along) {
                Vector<T> total[4] = {};
                const T* seen =
                    x + down * g.height.dilation * g.row() + along * g.width.dilation * channels + c;
                for (size_t i = 0; i < g.height.count; ++i) {
                    const T *from = seen + i * g.height.stride * g.row(),
                            *own = grad + i * g.width.count * channels + c;
                    size_t j = 0;
                    for (; j + 4 <= g.width.count; j += 4)
#pragma GCC unroll 4
                        for (size_t n = 0; n < 4; ++n)
                            total[n] +=
                                load(from + (j + n) * step, part) * load(own + (j + n) * channels, part);
                    for (; j < g.width.count; ++j)
                        total[0] += load(from + j * step, part) * load(own + j * channels, part);
                }
                T* to = gradient + (down * g.width.window + along) * channels + c;
                store(to, load(to, part) + (total[0] + total[1] + total[2] + total[3]), part);
            }
    });
}

// The kernels for the way back: turned around, and with channels and filters exchanged.
template <class T>
void turn_around(const Geometry& g, const T* weight, T* to) {
    const size_t places = g.height.window * g.width.window, own = g.channels / g.groups,
                 filters = g.filters / g.groups;
    for (size_t at = 0; at < places; ++at)
        for (size_t group = 0; group < g.groups; ++group)
            for (size_t c = 0; c < own; ++c)
                for (size_t f = 0; f < filters; ++f)
                    to[((places - 1 - at) * filters + f) * g.channels + group * own + c] =
                        weight[(at * own + c) * g.filters + group * filters + f];
}

}  // namespace ganglion::GANGLION_ISA
