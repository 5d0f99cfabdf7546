// Dropout: a = x * factor, with factor 0 for dropped elements and 1 / (1 - rate) for the others. The gradient
// has the same factor, so forward and backward share one function.
#pragma once

#include "layer.hpp"
#include "random.hpp"

namespace ganglion::GANGLION_ISA {

// The factors of a step at one update, by position in the batch.
template <class T>
struct Factor {
    uint64_t key;
    uint32_t least;
    T kept;

    Factor(const Here<T>& here, double rate) : key(mask_key(here.seed, here.step.stream, here.update)) {
        const double threshold = __builtin_nearbyint(rate * 4294967296.0);  // to even, as Python rounds
        least = threshold < 4294967295.0 ? static_cast<uint32_t>(threshold) : 4294967295u;
        kept = T(1 / (1 - rate));
    }
    GANGLION_INLINE T operator()(uint32_t position) const {
        return random_integer(key, position) >= least ? kept : T(0);
    }
};

// `Own::drop(here, factor, x, a)` multiplies by the factors; x and a may be the same.
template <class Own>
struct AnyDropout : LayerKind {
    static constexpr Names settings = {{"rate"}};
    enum { rate };

    template <class T>
    static const T* forward(const Here<T>& here, T* out) {
        if (!here.training || here.step.settings[rate] == 0) return here.x();
        Own::template drop<T>(here, Factor<T>(here, here.step.settings[rate]), here.x(), out);
        return out;
    }

    template <class T>
    static void backward(const Here<T>& here, const Back<T>& back) {
        if (!back.grad_x[0]) return;
        if (here.step.settings[rate] != 0)
            Own::template drop<T>(here, Factor<T>(here, here.step.settings[rate]), back.grad, back.grad_x[0]);
        else if (back.grad_x[0] != back.grad)
            memcpy(back.grad_x[0], back.grad, here.rows * here.step.outputs * sizeof(T));
    }
};

struct Dropout : AnyDropout<Dropout> {
    static constexpr const char* name = "dropout";

    template <class T>
    static void drop(const Here<T>& here, Factor<T> factor, const T* x, T* a) {
        const uint32_t start = static_cast<uint32_t>(here.first * here.step.outputs);
        for (size_t i = 0; i < here.rows * here.step.outputs; ++i)
            a[i] = x[i] * factor(start + static_cast<uint32_t>(i));
    }
};

struct SpatialDropout : AnyDropout<SpatialDropout> {
    static constexpr const char* name = "spatial_dropout";

    // The factors of one row's channels.
    template <class T>
    static size_t room(const Step& step, size_t) {
        return step.columns;
    }

    template <class T>
    static void drop(const Here<T>& here, Factor<T> factor, const T* x, T* a) {
        const size_t channels = here.step.columns, count = here.step.outputs;
        for (size_t row = 0; row < here.rows; ++row) {
            const uint32_t start = static_cast<uint32_t>((here.first + row) * channels);
            for (size_t c = 0; c < channels; ++c) here.room[c] = factor(start + static_cast<uint32_t>(c));
            for (size_t at = row * count; at < (row + 1) * count; at += channels)
                sweep<T>(channels, [&](size_t c, auto part) {
                    store(a + at + c, load(x + at + c, part) * load(here.room + c, part), part);
                });
        }
    }
};

}  // namespace ganglion::GANGLION_ISA
