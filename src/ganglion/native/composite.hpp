// Layers made of layers: only the step that combines the values, by addition or concatenation.
#pragma once

#include "activate.hpp"

namespace ganglion::GANGLION_ISA {

struct Residual : LayerKind {
    static constexpr const char* name = "residual";

    static double work(const Step& step) { return static_cast<double>(step.outputs); }

    template <class T>
    static const T* forward(const Here<T>& here, T* out) {
        const size_t width = here.step.outputs;
        each_rows(here.workers.team, here.rows, width, [&](size_t first, size_t last) {
            const T *inside = here.x(0) + first * width, *around = here.x(1) + first * width;
            T* to = out + first * width;
            sweep<T>((last - first) * width, [&](size_t i, auto part) {
                store(to + i, load(inside + i, part) + load(around + i, part), part);
            });
        });
        return out;
    }

    // Both inputs receive the same gradient.
    template <class T>
    static void backward(const Here<T>& here, const Back<T>& back) {
        const size_t width = here.step.outputs;
        for (size_t k = 0; k < 2; ++k)
            if (back.grad_x[k] && back.grad_x[k] != back.grad)
                each_rows(here.workers.team, here.rows, width, [&](size_t first, size_t last) {
                    memcpy(back.grad_x[k] + first * width, back.grad + first * width,
                           (last - first) * width * sizeof(T));
                });
    }
};

struct Parallel : LayerKind {
    static constexpr const char* name = "parallel";
    static constexpr bool in_place = false;

    template <class T>
    static const T* forward(const Here<T>& here, T* out) {
        each_part(here, [&](size_t k, size_t line, size_t width, size_t at) {
            memcpy(out + at, here.x(k) + line * width, width * sizeof(T));
        });
        return out;
    }

    template <class T>
    static void backward(const Here<T>& here, const Back<T>& back) {
        each_part(here, [&](size_t k, size_t line, size_t width, size_t at) {
            if (back.grad_x[k]) memcpy(back.grad_x[k] + line * width, back.grad + at, width * sizeof(T));
        });
    }

private:
    // Calls body(branch, line, width of the branch in a line, offset of its numbers in the output).
    template <class T, class Body>
    static void each_part(const Here<T>& here, Body body) {
        const Step& step = here.step;
        const size_t lines = here.rows * (step.outputs / step.columns);
        size_t begin = 0;
        for (size_t k = 0; k < step.read_count; ++k) {
            const size_t width = step.shapes[k][step.shapes[k].axes - 1];
            for (size_t line = 0; line < lines; ++line) body(k, line, width, line * step.columns + begin);
            begin += width;
        }
    }
};

}  // namespace ganglion::GANGLION_ISA
