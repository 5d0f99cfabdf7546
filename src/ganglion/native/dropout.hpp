// Dropout: a = x * factor, with factor 0 for the elements left out and 1 / (1 - rate) for the others. The
// gradient goes the same way, so forward and backward are one.
#pragma once

#include "description.hpp"
#include "random.hpp"

namespace ganglion::GANGLION_ISA {

// `first` is the position of x[0] in the flattened batch. The two arrays may be the same.
template <class T>
void drop(const Layer& layer, uint64_t seed, uint64_t step, size_t first, size_t count, const T* x, T* a) {
    const uint64_t key = mask_key(seed, layer.place, step);
    const double threshold = __builtin_nearbyint(layer.rate * 4294967296.0);  // to even, as Python rounds
    const uint32_t least = threshold < 4294967295.0 ? static_cast<uint32_t>(threshold) : 4294967295u;
    const T factor = T(1 / (1 - layer.rate));
    const uint32_t start = static_cast<uint32_t>(first);
    for (size_t i = 0; i < count; ++i)
        a[i] = x[i] * (random_integer(key, start + static_cast<uint32_t>(i)) >= least ? factor : T(0));
}

}  // namespace ganglion::GANGLION_ISA
