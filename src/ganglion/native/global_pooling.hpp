// Global pooling: each channel of an image or signal is reduced to one number.
#pragma once

#include "layer.hpp"

namespace ganglion::GANGLION_ISA {

struct GlobalPool : LayerKind {
    static constexpr bool in_place = false;

    static double work(const Step& step) { return static_cast<double>(step.inputs); }

protected:
    static size_t places(const Step& step) { return step.inputs / step.columns; }
};

struct GlobalMaxPool : GlobalPool {
    static constexpr const char* name = "global_max_pool";

    // The place of each maximum.
    template <class T>
    static size_t room(const Step& step, size_t rows) {
        return rows * step.outputs;
    }

    template <class T>
    static const T* forward(const Here<T>& here, T* out) {
        const size_t channels = here.step.columns;
        for (size_t row = 0; row < here.rows; ++row)
            sweep<T>(channels, [&](size_t c, auto part) {
                const T* x = here.x() + row * here.step.inputs + c;
                Vector<T> most = load(x, part), choice{};
                for (size_t place = 1; place < places(here.step); ++place) {
                    const Vector<T> value = load(x + place * channels, part);
                    // NaN counts as the largest, as in NumPy.
                    const auto larger = (value > most) | ((value != value) & (most == most));
                    most = larger ? value : most;
                    choice = larger ? broadcast<T>(T(place)) : choice;
                }
                store(out + row * channels + c, most, part);
                store(here.room + row * channels + c, choice, part);
            });
        return out;
    }

    template <class T>
    static void backward(const Here<T>& here, const Back<T>& back) {
        if (!back.grad_x[0]) return;
        const size_t channels = here.step.columns;
        memset(back.grad_x[0], 0, here.rows * here.step.inputs * sizeof(T));
        for (size_t row = 0; row < here.rows; ++row)
            for (size_t c = 0; c < channels; ++c) {
                const size_t place = static_cast<size_t>(here.room[row * channels + c]);
                back.grad_x[0][row * here.step.inputs + place * channels + c] = back.grad[row * channels + c];
            }
    }
};

struct GlobalAveragePool : GlobalPool {
    static constexpr const char* name = "global_average_pool";

    template <class T>
    static const T* forward(const Here<T>& here, T* out) {
        const size_t channels = here.step.columns, count = places(here.step);
        for (size_t row = 0; row < here.rows; ++row)
            sweep<T>(channels, [&](size_t c, auto part) {
                const T* x = here.x() + row * here.step.inputs + c;
                Vector<T> total{};
                for (size_t place = 0; place < count; ++place) total += load(x + place * channels, part);
                store(out + row * channels + c, total / T(count), part);
            });
        return out;
    }

    template <class T>
    static void backward(const Here<T>& here, const Back<T>& back) {
        if (!back.grad_x[0]) return;
        const size_t channels = here.step.columns, count = places(here.step);
        for (size_t row = 0; row < here.rows; ++row)
            sweep<T>(channels, [&](size_t c, auto part) {
                T* grad_x = back.grad_x[0] + row * here.step.inputs + c;
                const Vector<T> each = load(back.grad + row * channels + c, part) / T(count);
                for (size_t place = 0; place < count; ++place) store(grad_x + place * channels, each, part);
            });
    }
};

}  // namespace ganglion::GANGLION_ISA
