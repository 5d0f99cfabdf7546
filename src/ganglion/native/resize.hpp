// Layers that change the size of an image and compute nothing: enlarging, padding, cropping.
#pragma once

#include "layer.hpp"

namespace ganglion::GANGLION_ISA {

struct Upsample2D : LayerKind {
    static constexpr const char* name = "upsample_2d";
    static constexpr Names settings = {{"size_0", "size_1"}};
    static constexpr bool in_place = false;
    enum { size };

    template <class T>
    static const T* forward(const Here<T>& here, T* out) {
        const size_t channels = here.step.columns, line = here.step.shape[1] * channels;
        const size_t down = times(here.step, 0), along = times(here.step, 1);
        each_line(here, [&](size_t from, size_t to) {
            for (size_t j = 0; j < line; j += channels)
                memcpy(out + to + j, here.x() + from + j / channels / along * channels, channels * sizeof(T));
            for (size_t i = 1; i < down; ++i) memcpy(out + to + i * line, out + to, line * sizeof(T));
        });
        return out;
    }

    template <class T>
    static void backward(const Here<T>& here, const Back<T>& back) {
        if (!back.grad_x[0]) return;
        const size_t channels = here.step.columns, line = here.step.shape[1] * channels;
        const size_t down = times(here.step, 0), along = times(here.step, 1);
        each_line(here, [&](size_t from, size_t to) {
            for (size_t j = 0; j < here.step.shapes[0][1]; ++j)
                sweep<T>(channels, [&](size_t c, auto part) {
                    Vector<T> total{};
                    for (size_t i = 0; i < down; ++i)
                        for (size_t k = 0; k < along; ++k)
                            total += load(back.grad + to + i * line + (j * along + k) * channels + c, part);
                    store(back.grad_x[0] + from + j * channels + c, total, part);
                });
        });
    }

private:
    static size_t times(const Step& step, size_t axis) {
        return static_cast<size_t>(step.settings[size + axis]);
    }

    // Calls body(where it begins in the input, in the output) for each line of each image of the input.
    template <class T, class Body>
    static void each_line(const Here<T>& here, Body body) {
        const size_t lines = here.rows * here.step.shapes[0][0];
        const size_t from = here.step.inputs / here.step.shapes[0][0],
                     to = here.step.outputs / here.step.shapes[0][0];
        for (size_t i = 0; i < lines; ++i) body(i * from, i * to);
    }
};

// An image inside a larger one, `before` places from its edges.
struct Margin : LayerKind {
    static constexpr Names settings = {{"before_0", "before_1"}};
    static constexpr bool in_place = false;
    enum { before };

protected:
    template <class T>
    static void take_out(const Here<T>& here, Shape large, Shape small, const T* from, T* to) {
        each_line(here, large, small, [&](size_t outside, size_t inside, size_t count) {
            memcpy(to + inside, from + outside, count * sizeof(T));
        });
    }

    template <class T>
    static void put_in(const Here<T>& here, Shape large, Shape small, const T* from, T* to) {
        memset(to, 0, here.rows * large[0] * large[1] * large[2] * sizeof(T));
        each_line(here, large, small, [&](size_t outside, size_t inside, size_t count) {
            memcpy(to + outside, from + inside, count * sizeof(T));
        });
    }

private:
    // Calls body(where it begins in the larger images, in the smaller ones, count of numbers) for each line.
    template <class T, class Body>
    static void each_line(const Here<T>& here, Shape large, Shape small, Body body) {
        const size_t top = static_cast<size_t>(here.step.settings[before]),
                     left = static_cast<size_t>(here.step.settings[before + 1]);
        const size_t channels = small[2], line = small[1] * channels;
        for (size_t row = 0; row < here.rows; ++row)
            for (size_t i = 0; i < small[0]; ++i)
                body(((row * large[0] + top + i) * large[1] + left) * channels, (row * small[0] + i) * line,
                     line);
    }
};

struct ZeroPad2D : Margin {
    static constexpr const char* name = "zero_pad_2d";

    template <class T>
    static const T* forward(const Here<T>& here, T* out) {
        put_in(here, here.step.shape, here.step.shapes[0], here.x(), out);
        return out;
    }

    template <class T>
    static void backward(const Here<T>& here, const Back<T>& back) {
        if (back.grad_x[0])
            take_out<T>(here, here.step.shape, here.step.shapes[0], back.grad, back.grad_x[0]);
    }
};

struct Crop2D : Margin {
    static constexpr const char* name = "crop_2d";

    template <class T>
    static const T* forward(const Here<T>& here, T* out) {
        take_out(here, here.step.shapes[0], here.step.shape, here.x(), out);
        return out;
    }

    template <class T>
    static void backward(const Here<T>& here, const Back<T>& back) {
        if (back.grad_x[0]) put_in<T>(here, here.step.shapes[0], here.step.shape, back.grad, back.grad_x[0]);
    }
};

}  // namespace ganglion::GANGLION_ISA
