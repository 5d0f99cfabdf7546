// A mixture: a weighted sum of answers that lie side by side. The step's constants are the number of answers
// and their weights.
#pragma once

#include "layer.hpp"

namespace ganglion::GANGLION_ISA {

struct Mixture : LayerKind {
    static constexpr const char* name = "mixture";
    static constexpr bool in_place = false;

    static double work(const Step& step) { return 2.0 * static_cast<double>(step.inputs); }

    template <class T>
    static const T* forward(const Here<T>& here, T* out) {
        const size_t width = here.step.columns, answers = static_cast<size_t>(here.step.constants[0]);
        for (size_t line = 0; line < lines(here); ++line) {
            const T* x = here.x() + line * answers * width;
            sweep<T>(width, [&](size_t j, auto part) {
                Vector<T> total{};
                for (size_t k = 0; k < answers; ++k)
                    total += load(x + k * width + j, part) * T(here.step.constants[1 + k]);
                store(out + line * width + j, total, part);
            });
        }
        return out;
    }

    template <class T>
    static void backward(const Here<T>& here, const Back<T>& back) {
        if (!back.grad_x[0]) return;
        const size_t width = here.step.columns, answers = static_cast<size_t>(here.step.constants[0]);
        for (size_t line = 0; line < lines(here); ++line)
            for (size_t k = 0; k < answers; ++k)
                sweep<T>(width, [&](size_t j, auto part) {
                    store(back.grad_x[0] + (line * answers + k) * width + j,
                          load(back.grad + line * width + j, part) * T(here.step.constants[1 + k]), part);
                });
    }

private:
    template <class T>
    static size_t lines(const Here<T>& here) {
        return here.rows * (here.step.outputs / here.step.columns);
    }
};

}  // namespace ganglion::GANGLION_ISA
