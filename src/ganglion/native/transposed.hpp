// Transposed convolution: each number of an image adds a multiple of the kernel to the output.
//
// This is the gradient, with respect to its input, of a convolution that goes the other way, from the output
// of this layer to its input. `Geometry` describes that one; the kernels are (height, width, channels,
// filters) with the channels and filters of this layer.
#pragma once

#include "correlation.hpp"

namespace ganglion::GANGLION_ISA {

struct TransposedConv2D : LayerKind {
    static constexpr const char* name = "transposed_conv_2d";
    static constexpr Names settings = {
        {"filters", "bias", "kernel_0", "kernel_1", "stride_0", "stride_1", "before_0", "before_1"}};
    static constexpr bool in_place = false;
    enum { filters, bias, kernel, stride = 4, before = 6 };

    static double work(const Step& step) {
        const Geometry g = geometry(step);
        return 2.0 * static_cast<double>(g.height.count * g.width.count * g.weight());
    }

    // For each piece of the images: an image with its padding, and a gradient of the kernels. At the end the
    // kernels for the way forward and back, and prepared kernels.
    template <class T>
    static size_t room(const Step& step, size_t) {
        const Geometry g = geometry(step);
        return pieces(g) * piece_size<T>(g) + 2 * whole_lines<T>(g.weight()) +
               larger(prepared_size<T>(g), prepared_size<T>(g.back()));
    }

    template <class T>
    static const T* forward(const Here<T>& here, T* out) {
        const Geometry g = geometry(here.step), way = g.back();
        const T* turned = prepared<T>(way, kernels(here, g), room_for_prepared(here, g));
        const T* bias_at = has_bias(here.step) ? here.own + g.weight() : nullptr;
        each_image(here, way, [&](size_t image, size_t, T* room) {
            const T* x = placed(way, g.height.stride, g.width.stride, here.x() + image * g.z(), room);
            correlate<T>(way, x, turned, bias_at, out + image * g.x());
        });
        return out;
    }

    template <class T>
    static void backward(const Here<T>& here, const Back<T>& back) {
        const Geometry g = geometry(here.step), way = g.back();
        const size_t size = g.weight(), count = piece_count(here, g);
        const T* turned = kernels(here, g);
        T* straight = here.room + pieces(g) * piece_size<T>(g) + whole_lines<T>(size);
        turn_around<T>(way, turned, straight);
        const T* paired = prepared<T>(g, straight, room_for_prepared(here, g));
        const auto gradient_of = [&](size_t piece) {
            return here.room + piece * piece_size<T>(g) + image_size<T>(g);
        };
        for (size_t piece = 0; piece < count; ++piece) memset(gradient_of(piece), 0, size * sizeof(T));
        each_image(here, g, [&](size_t image, size_t piece, T* room) {
            const T* grad = placed(g, 1, 1, back.grad + image * g.x(), room);
            correlate_back<T>(g, grad, here.x() + image * g.z(), gradient_of(piece));
            if (back.grad_x[0])
                correlate<T>(g, grad, paired, static_cast<T*>(nullptr), back.grad_x[0] + image * g.z());
        });
        // In the kernels of the other convolution, channels and filters are exchanged.
        const size_t area = g.height.window * g.width.window, each = g.channels * g.filters;
        for (size_t piece = 0; piece < count; ++piece)
            for (size_t at = 0; at < area; ++at)
                transpose_into<T>(g.channels, g.filters, gradient_of(piece) + at * each,
                                  back.gradient + at * each, back.add || piece > 0);
        if (has_bias(here.step))
            sum_rows<T>(here.rows * g.height.size * g.width.size, g.channels, back.grad, back.gradient + size,
                        back.add);
    }

private:
    static constexpr size_t PIECES_OF_IMAGES = 8, MOST_NUMBERS = 1 << 20;

    static bool has_bias(const Step& step) { return step.settings[bias] != 0; }

    static Geometry geometry(const Step& step) {
        Axis axes[2];
        for (size_t i = 0; i < 2; ++i) {
            const auto setting = [&](size_t which) { return static_cast<size_t>(step.settings[which + i]); };
            axes[i] = {step.shape[i],     setting(kernel),
                       setting(stride),   1,
                       step.shapes[0][i], static_cast<ptrdiff_t>(setting(before))};
        }
        return {axes[0], axes[1], static_cast<size_t>(step.settings[filters]), step.features, 1};
    }

    // The kernels for the way forward, their places in reverse order; after them is room for those of the way
    // back.
    template <class T>
    static T* kernels(const Here<T>& here, const Geometry& g) {
        T* turned = here.room + pieces(g) * piece_size<T>(g);
        const size_t area = g.height.window * g.width.window, each = g.channels * g.filters;
        for (size_t at = 0; at < area; ++at)
            memcpy(turned + (area - 1 - at) * each, here.own + at * each, each * sizeof(T));
        return turned;
    }

    template <class T>
    static T* room_for_prepared(const Here<T>& here, const Geometry& g) {
        return here.room + pieces(g) * piece_size<T>(g) + 2 * whole_lines<T>(g.weight());
    }

    static size_t pieces(const Geometry& g) {
        return larger(1, smaller(PIECES_OF_IMAGES, MOST_NUMBERS / larger(1, g.weight())));
    }
    template <class T>
    static size_t piece_count(const Here<T>& here, const Geometry& g) {
        return here.workers.team ? smaller(here.rows, pieces(g)) : 1;
    }
    template <class T>
    static size_t image_size(const Geometry& g) {
        const Geometry way = g.back();
        return whole_lines<T>(larger(g.down() * g.row(), way.down() * way.row()));
    }
    template <class T>
    static size_t piece_size(const Geometry& g) {
        return image_size<T>(g) + whole_lines<T>(g.weight());
    }

    // The image with its padding, and `down` and `along` places between its elements: itself if it has none.
    template <class T>
    static const T* placed(const Geometry& to, size_t down, size_t along, const T* from, T* room) {
        if (down == 1 && along == 1 && !to.is_padded()) return from;
        place<T>(to, down, along, (to.height.size + down - 1) / down, (to.width.size + along - 1) / along,
                 from, room);
        return room;
    }

    // Calls work(image, piece, room for an image with the padding of `to`) for each image. The pieces do not
    // depend on the number of threads.
    template <class T, class Work>
    static void each_image(const Here<T>& here, const Geometry& to, Work work) {
        const Geometry g = geometry(here.step);
        const size_t rows = here.rows, count = piece_count(here, g);
        each(here.workers.team, count, [&](size_t piece, size_t) {
            T* room = here.room + piece * piece_size<T>(g);
            memset(room, 0, to.down() * to.row() * sizeof(T));
            for (size_t i = rows * piece / count; i < rows * (piece + 1) / count; ++i) work(i, piece, room);
        });
    }
};

}  // namespace ganglion::GANGLION_ISA
