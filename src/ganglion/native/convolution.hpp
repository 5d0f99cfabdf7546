// Convolution: z[i, j] = sum over the kernel of x[patch at i, j] W, + b, and its gradients, image by image.
//
// With the padding in place, a patch is rows of contiguous numbers, so that each row of windows is a product
// of a matrix of patches, which need not be copied, and the kernels. The gradient with respect to the input
// is the same product of the gradient of the output and the kernels turned around. That of the kernels is a
// product with the patches transposed.
#pragma once

#include "layer.hpp"

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

private:
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

// The kernels in pairs, for few filters; see `paired_tile`.
template <class T>
bool is_paired(const Geometry& g) {
    return g.groups == 1 && fits_in_pairs<T>(g.filters);
}
template <class T>
size_t paired_size(const Geometry& g) {
    const Stretches own(g);
    return is_paired<T>(g) ? own.down * own.along * ((own.depth + 1) / 2) * lanes<T> : 0;
}
// The kernels as `correlate` takes them: in pairs, which are written to `room`, or as they are.
template <class T>
const T* in_pairs(const Geometry& g, const T* weight, T* room) {
    if (!is_paired<T>(g)) return weight;
    const Stretches own(g);
    const size_t count = own.down * own.along, size = (own.depth + 1) / 2 * lanes<T>;
    for (size_t i = 0; i < count; ++i)
        pair_rows<T>(weight + i * own.depth * g.filters, g.filters, own.depth, g.filters, room + i * size);
    return room;
}

// z of one image whose padding is in place; `weight` comes from `in_pairs`, and `bias` may be null.
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

struct Convolution : LayerKind {
    static constexpr Names settings = {{"filters", "groups", "bias", "kernel_0", "kernel_1", "stride_0",
                                        "stride_1", "dilation_0", "dilation_1", "before_0", "before_1"}};
    static constexpr bool in_place = false, takes_activation = true, takes_derivative = true,
                          row_by_row = true;
    enum { filters, groups, bias, kernel, stride = 5, dilation = 7, before = 9 };

    static double work(const Step& step) {
        const Geometry g = geometry(step);
        return 2.0 * static_cast<double>(g.height.count * g.width.count * g.weight());
    }

    // For each piece of the images: an image with its padding, and a gradient of the kernels. At the end the
    // kernels for the way back, and kernels in pairs.
    template <class T>
    static size_t room(const Step& step, size_t) {
        const Geometry g = geometry(step);
        return pieces(g) * piece_size<T>(g) + whole_lines<T>(g.weight()) +
               larger(paired_size<T>(g), paired_size<T>(g.back()));
    }

    template <class T>
    static void forward(const Here<T>& here, T* z, T* a) {
        const Geometry g = geometry(here.step);
        const Activation f = here.activation;
        T* to = z ? z : a;
        const T* bias_at = here.step.settings[bias] != 0 ? here.own + g.weight() : nullptr;
        const T* kernels = in_pairs<T>(g, here.own, room_for_pairs<T>(g, here.room));
        each_image(here, g, [&](size_t image, size_t, T* room) {
            const T* x = placed(g, 1, 1, here.x() + image * g.x(), room);
            T* own = to + image * g.z();
            if (g.is_depthwise()) correlate_depthwise<T>(g, x, here.own, bias_at, own);
            else if (is_relu(f)) correlate<T>(g, x, kernels, bias_at, own, {Epilogue<T>::not_below_zero});
            else correlate<T>(g, x, kernels, bias_at, own);
            if (!is_identity(f) && (g.is_depthwise() || !is_relu(f)))
                activate<T>(f, {g.height.count * g.width.count, g.filters, g.filters}, own,
                            a + image * g.z());
        });
    }

    template <class T>
    static void backward(const Here<T>& here, const Back<T>& back) {
        const Geometry g = geometry(here.step);
        if (back.gradient) backward_parameters(here, back, g);
        if (!back.grad_x[0]) return;
        const Geometry way = g.back();
        T* turned = room_for_kernels<T>(g, here.room);
        turn_around<T>(g, here.own, turned);
        const T* kernels = in_pairs<T>(way, turned, room_for_pairs<T>(g, here.room));
        each_image(here, way, [&](size_t image, size_t, T* room) {
            const T* grad = placed(way, g.height.stride, g.width.stride, back.grad + image * g.z(), room);
            T* grad_x = back.grad_x[0] + image * g.x();
            const T* seen = back.seen ? back.seen + image * g.x() : nullptr;
            const bool fuses = is_relu(back.before) && !g.is_depthwise();
            if (g.is_depthwise()) correlate_depthwise<T>(way, grad, turned, static_cast<T*>(nullptr), grad_x);
            else
                correlate<T>(way, grad, kernels, static_cast<T*>(nullptr), grad_x,
                             fuses ? Epilogue<T>{Epilogue<T>::where_positive, seen} : Epilogue<T>{});
            if (!is_identity(back.before) && !fuses)
                activate_backward<T>(back.before, {g.height.size * g.width.size, g.channels, g.channels},
                                     seen, grad_x);
        });
    }

private:
    static constexpr size_t PIECES_OF_IMAGES = 8, MOST_NUMBERS = 1 << 20;

    static Geometry geometry(const Step& step) {
        const Shape& from = step.shapes[0];
        const bool signal = from.axes == 2;
        const size_t sizes[2] = {signal ? 1 : from[0], signal ? from[0] : from[1]};
        const size_t counts[2] = {signal ? 1 : step.shape[0], signal ? step.shape[0] : step.shape[1]};
        Axis axes[2];
        for (size_t i = 0; i < 2; ++i) {
            const auto setting = [&](size_t which) { return static_cast<size_t>(step.settings[which + i]); };
            axes[i] = {sizes[i], setting(kernel), setting(stride), setting(dilation), counts[i], 0};
            const size_t covered = axes[i].covered();
            if (step.settings[before + i] >= 0) axes[i].before = static_cast<ptrdiff_t>(setting(before));
            else if (covered > sizes[i]) axes[i].before = static_cast<ptrdiff_t>((covered - sizes[i]) / 2);
        }
        return {axes[0], axes[1], from[from.axes - 1], static_cast<size_t>(step.settings[filters]),
                static_cast<size_t>(step.settings[groups])};
    }

    static size_t pieces(const Geometry& g) {
        return larger(1, smaller(PIECES_OF_IMAGES, MOST_NUMBERS / larger(1, g.weight())));
    }

    template <class T>
    static size_t image_size(const Geometry& g) {
        const Geometry way = g.back();
        return whole_lines<T>(larger(g.down() * g.row(), way.down() * way.row()));
    }
    template <class T>
    static size_t piece_size(const Geometry& g) {
        return image_size<T>(g) + whole_lines<T>(g.weight() + g.filters);
    }

    // Room for the kernels for the way back, and after them for kernels in pairs.
    template <class T>
    static T* room_for_kernels(const Geometry& g, T* room) {
        return room + pieces(g) * piece_size<T>(g);
    }
    template <class T>
    static T* room_for_pairs(const Geometry& g, T* room) {
        return room_for_kernels<T>(g, room) + whole_lines<T>(g.weight());
    }

    // The image with its padding: itself if it needs none.
    template <class T>
    static const T* placed(const Geometry& g, size_t down, size_t along, const T* from, T* room) {
        const size_t rows = (g.height.size + down - 1) / down, columns = (g.width.size + along - 1) / along;
        if (down == 1 && along == 1 && !g.is_padded()) return from;
        place<T>(g, down, along, rows, columns, from, room);
        return room;
    }

    // Calls work(image, piece, room for an image with its padding) for each image. The pieces do not depend
    // on the number of threads.
    template <class T, class Work>
    static void each_image(const Here<T>& here, const Geometry& g, Work work) {
        const Geometry own = geometry(here.step);
        const size_t rows = here.rows, count = here.workers.team ? smaller(rows, pieces(own)) : 1;
        each(here.workers.team, count, [&](size_t piece, size_t) {
            T* room = here.room + piece * piece_size<T>(own);
            memset(room, 0, g.down() * g.row() * sizeof(T));
            for (size_t i = rows * piece / count; i < rows * (piece + 1) / count; ++i) work(i, piece, room);
        });
    }

    template <class T>
    static void backward_parameters(const Here<T>& here, const Back<T>& back, const Geometry& g) {
        const bool biased = here.step.settings[bias] != 0;
        const size_t size = g.weight() + (biased ? g.filters : 0);
        const size_t count = here.workers.team ? smaller(here.rows, pieces(g)) : 1;
        const auto gradient_of = [&](size_t piece) {
            return count == 1 ? back.gradient : here.room + piece * piece_size<T>(g) + image_size<T>(g);
        };
        for (size_t piece = 0; piece < count; ++piece)
            if (count > 1 || !back.add) memset(gradient_of(piece), 0, size * sizeof(T));
        each_image(here, g, [&](size_t image, size_t piece, T* room) {
            const T* x = placed(g, 1, 1, here.x() + image * g.x(), room);
            const T* grad = back.grad + image * g.z();
            if (g.is_depthwise()) correlate_back_depthwise<T>(g, x, grad, gradient_of(piece));
            else correlate_back<T>(g, x, grad, gradient_of(piece));
            if (biased)
                sum_rows<T>(g.height.count * g.width.count, g.filters, grad, gradient_of(piece) + g.weight(),
                            true);
        });
        if (count == 1) return;
        sweep<T>(size, [&](size_t j, auto part) {
            Vector<T> total = back.add ? load(back.gradient + j, part) : Vector<T>{};
            for (size_t piece = 0; piece < count; ++piece) total += load(gradient_of(piece) + j, part);
            store(back.gradient + j, total, part);
        });
    }
};

struct Conv2D : Convolution {
    static constexpr const char* name = "conv_2d";
};

struct Conv1D : Convolution {
    static constexpr const char* name = "conv_1d";
};

}  // namespace ganglion::GANGLION_ISA
