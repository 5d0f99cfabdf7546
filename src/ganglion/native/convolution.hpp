// Convolution layers, for images and for signals, which are images of one row: image by image, in pieces that
// do not depend on the number of threads.
#pragma once

#include "correlation.hpp"

namespace ganglion::GANGLION_ISA {

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

    // For each piece of the images: an image with its padding, a strip of it, and a gradient of the kernels.
    // At the end the kernels for the way back, and prepared kernels.
    template <class T>
    static size_t room(const Step& step, size_t) {
        const Geometry g = geometry(step);
        return pieces(g) * piece_size<T>(g) + whole_lines<T>(g.weight()) +
               larger(prepared_size<T>(g), prepared_size<T>(g.back().in_tiles()));
    }

    template <class T>
    static void forward(const Here<T>& here, T* z, T* a) {
        const Geometry g = geometry(here.step);
        const Activation f = here.activation;
        T* to = z ? z : a;
        const T* bias_at = here.step.settings[bias] != 0 ? here.own + g.weight() : nullptr;
        const bool fuses = is_relu(f) && !g.is_depthwise();
        const T* kernels = prepared<T>(g, here.own, room_for_prepared<T>(g, here.room));
        each_image(here, g, [&](size_t image, T* room) {
            const View<T> x = viewed(g, 1, 1, here.x() + image * g.x(), room);
            T* own = to + image * g.z();
            correlate_any<T>(g, x, kernels, bias_at, own,
                             {fuses ? Epilogue<T>::not_below_zero : Epilogue<T>::as_they_are},
                             room_for_strip(g, room));
            if (!is_identity(f) && !fuses)
                activate<T>(f, {g.height.count * g.width.count, g.filters, g.filters}, own,
                            a + image * g.z());
        });
    }

    template <class T>
    static void backward(const Here<T>& here, const Back<T>& back) {
        const Geometry g = geometry(here.step);
        if (back.gradient) backward_parameters(here, back, g);
        if (!back.grad_x[0]) return;
        const Geometry way = g.back().in_tiles();
        T* turned = room_for_kernels<T>(g, here.room);
        turn_around<T>(g, here.own, turned);
        const T* kernels = prepared<T>(way, turned, room_for_prepared<T>(g, here.room));
        each_image(here, way, [&](size_t image, T* room) {
            const View<T> grad =
                viewed(way, g.height.stride, g.width.stride, back.grad + image * g.z(), room);
            T* grad_x = back.grad_x[0] + image * g.x();
            const T* seen = back.seen ? back.seen + image * g.x() : nullptr;
            const bool fuses = is_relu(back.before) && !g.is_depthwise();
            correlate_any<T>(way, grad, kernels, static_cast<T*>(nullptr), grad_x,
                             fuses ? Epilogue<T>{Epilogue<T>::where_positive, seen} : Epilogue<T>{},
                             room_for_strip(g, room));
            if (!is_identity(back.before) && !fuses)
                activate_backward<T>(back.before, {g.height.size * g.width.size, g.channels, g.channels},
                                     seen, grad_x);
        });
    }

private:
    static constexpr size_t PIECES_OF_IMAGES = 8, MOST_NUMBERS = 1 << 20, LEAST_WINDOWS = 512;

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
        const Geometry found = {axes[0], axes[1], from[from.axes - 1],
                                static_cast<size_t>(step.settings[filters]),
                                static_cast<size_t>(step.settings[groups])};
        return found.in_tiles();
    }

    static size_t pieces(const Geometry& g) {
        return larger(1, smaller(PIECES_OF_IMAGES, MOST_NUMBERS / larger(1, g.weight())));
    }

    template <class T>
    static size_t placed_size(const Geometry& g) {
        const Geometry way = g.back().in_tiles();
        return whole_lines<T>(larger(g.down() * g.row(), way.down() * way.row()));
    }
    // The numbers of the gradient of the points of the kernels.
    static size_t points_size(const Geometry& g) { return g.tiled ? POINTS * g.channels * g.filters : 0; }
    template <class T>
    static size_t strip_size(const Geometry& g) {
        const Geometry way = g.back().in_tiles();
        return whole_lines<T>(
            larger(g.tiled ? g.strip().room<T>() : 0, way.tiled ? way.strip().room<T>() : 0));
    }
    // The room for an image with its padding, for a strip of it, and for a gradient of points.
    template <class T>
    static size_t image_size(const Geometry& g) {
        return placed_size<T>(g) + strip_size<T>(g) + whole_lines<T>(points_size(g));
    }
    template <class T>
    static T* room_for_strip(const Geometry& g, T* room) {
        return room + placed_size<T>(g);
    }
    template <class T>
    static T* room_for_points(const Geometry& g, T* room) {
        return room_for_strip<T>(g, room) + strip_size<T>(g);
    }
    template <class T>
    static size_t piece_size(const Geometry& g) {
        return image_size<T>(g) + whole_lines<T>(g.weight() + g.filters);
    }

    // Room for the kernels for the way back, and after them for prepared kernels.
    template <class T>
    static T* room_for_kernels(const Geometry& g, T* room) {
        return room + pieces(g) * piece_size<T>(g);
    }
    template <class T>
    static T* room_for_prepared(const Geometry& g, T* room) {
        return room_for_kernels<T>(g, room) + whole_lines<T>(g.weight());
    }

    // Whether an image needs no padding and no places between its elements, or tiles get them on the way.
    static bool is_seen_in_place(const Geometry& g, bool spread) {
        return !spread && (g.tiled || !g.is_padded());
    }

    // An image with its padding, and with `down` and `along` places from one of its elements to the next:
    // itself if it needs neither.
    template <class T>
    static View<T> viewed(const Geometry& g, size_t down, size_t along, const T* from, T* room) {
        const bool spread = down > 1 || along > 1;
        const auto size = [](size_t count) { return static_cast<ptrdiff_t>(count); };
        if (g.tiled && !spread)
            return {from, size(g.height.size), size(g.width.size), g.height.before, g.width.before};
        const bool in_place = is_seen_in_place(g, spread);
        if (!in_place)
            place<T>(g, down, along, (g.height.size + down - 1) / down, (g.width.size + along - 1) / along,
                     from, room);
        return {in_place ? from : room, size(g.down()), size(g.across()), 0, 0};
    }

    template <class T>
    static void correlate_any(const Geometry& g, const View<T>& x, const T* kernels, const T* bias, T* z,
                              Epilogue<T> epilogue, T* room) {
        if (g.tiled) correlate_tiles<T>(g, x, kernels, bias, z, epilogue, room);
        else if (g.is_depthwise()) correlate_depthwise<T>(g, x.at, kernels, bias, z);
        else correlate<T>(g, x.at, kernels, bias, z, epilogue);
    }

    template <class T>
    static size_t piece_count(const Here<T>& here, const Geometry& own) {
        const size_t worth = here.rows * own.height.count * own.width.count / LEAST_WINDOWS;
        return here.workers.team ? smaller(smaller(here.rows, larger(1, worth)), pieces(own)) : 1;
    }

    // Calls work(piece, first image, image after the last, room for an image with its padding) for each piece
    // of the images. The pieces do not depend on the number of threads.
    template <class T, class Work>
    static void each_piece(const Here<T>& here, const Geometry& g, Work work) {
        const Geometry own = geometry(here.step);
        const size_t rows = here.rows, count = piece_count(here, own);
        each(here.workers.team, count, [&](size_t piece, size_t) {
            T* room = here.room + piece * piece_size<T>(own);
            if (!is_seen_in_place(g, own.height.stride > 1 || own.width.stride > 1))
                memset(room, 0, g.down() * g.row() * sizeof(T));
            work(piece, rows * piece / count, rows * (piece + 1) / count, room);
        });
    }

    template <class T, class Work>
    static void each_image(const Here<T>& here, const Geometry& g, Work work) {
        each_piece(here, g, [&](size_t, size_t first, size_t last, T* room) {
            for (size_t image = first; image < last; ++image) work(image, room);
        });
    }

    template <class T>
    static void backward_parameters(const Here<T>& here, const Back<T>& back, const Geometry& g) {
        const bool biased = here.step.settings[bias] != 0;
        const size_t size = g.weight() + (biased ? g.filters : 0), count = piece_count(here, g);
        const auto gradient_of = [&](size_t piece) {
            return count == 1 ? back.gradient : here.room + piece * piece_size<T>(g) + image_size<T>(g);
        };
        each_piece(here, g, [&](size_t piece, size_t first, size_t last, T* room) {
            T *to = gradient_of(piece), *points = room_for_points(g, room);
            if (count > 1 || !back.add) memset(to, 0, size * sizeof(T));
            memset(points, 0, points_size(g) * sizeof(T));
            for (size_t image = first; image < last; ++image) {
                const View<T> x = viewed(g, 1, 1, here.x() + image * g.x(), room);
                const T* grad = back.grad + image * g.z();
                if (g.is_depthwise()) correlate_back_depthwise<T>(g, x.at, grad, to);
                else if (g.tiled) correlate_back_tiles<T>(g, x, grad, points, room_for_strip(g, room));
                else correlate_back<T>(g, x.at, grad, to);
                if (biased)
                    sum_rows<T>(g.height.count * g.width.count, g.filters, grad, to + g.weight(), true);
            }
            if (g.tiled) transform_kernels_back<T>(g.channels * g.filters, points, to);
        });
        if (count == 1) return;
        constexpr size_t line = 64 / sizeof(T);
        each_rows(here.workers.team, (size + line - 1) / line, count * line, [&](size_t first, size_t last) {
            sweep<T>(smaller(size, last * line) - first * line, [&](size_t n, auto part) {
                const size_t j = first * line + n;
                Vector<T> total = back.add ? load(back.gradient + j, part) : Vector<T>{};
                for (size_t piece = 0; piece < count; ++piece) total += load(gradient_of(piece) + j, part);
                store(back.gradient + j, total, part);
            });
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
