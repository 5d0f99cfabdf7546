// Dropout: a = x * factor, with factor 0 for dropped elements and 1 / (1 - rate) for the others. The gradient
// has the same factor, so forward and backward share one function.
#pragma once

#include "layer.hpp"
#include "random.hpp"

namespace ganglion::GANGLION_ISA {

struct Dropout : LayerKind {
    static constexpr const char* name = "dropout";
    static constexpr Names settings = {{"rate"}};
    enum { rate };

    template <class T>
    static const T* forward(const Here<T>& here, T* out) {
        if (!here.training || here.step.settings[rate] == 0) return here.x();
        drop<T>(here, here.x(), out);
        return out;
    }

    template <class T>
    static void backward(const Here<T>& here, const Back<T>& back) {
        if (!back.grad_x[0]) return;
        if (here.step.settings[rate] != 0) drop<T>(here, back.grad, back.grad_x[0]);
        else if (back.grad_x[0] != back.grad)
            memcpy(back.grad_x[0], back.grad, here.rows * here.step.outputs * sizeof(T));
    }

private:
    // The two arrays may be the same.
    template <class T>
    static void drop(const Here<T>& here, const T* x, T* a) {
        const double fraction = here.step.settings[rate];
        const uint64_t key = mask_key(here.seed, here.step.stream, here.update);
        const double threshold = __builtin_nearbyint(fraction * 4294967296.0);  // to even, as Python rounds
        const uint32_t least = threshold < 4294967295.0 ? static_cast<uint32_t>(threshold) : 4294967295u;
        const T factor = T(1 / (1 - fraction));
        const uint32_t start = static_cast<uint32_t>(here.first * here.step.outputs);
        for (size_t i = 0; i < here.rows * here.step.outputs; ++i)
            a[i] = x[i] * (random_integer(key, start + static_cast<uint32_t>(i)) >= least ? factor : T(0));
    }
};

}  // namespace ganglion::GANGLION_ISA
