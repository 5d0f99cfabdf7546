// The hash that decides which elements dropout drops, the same as in core/random.py.
#pragma once

#include <cstdint>

#include "vector.hpp"

namespace ganglion::GANGLION_ISA {

constexpr uint64_t MASK_PURPOSE = 4;

inline uint64_t mix(uint64_t value) {  // the finalizer of splitmix64
    value += 0x9E3779B97F4A7C15u;
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9u;
    value = (value ^ (value >> 27)) * 0x94D049BB133111EBu;
    return value ^ (value >> 31);
}

GANGLION_INLINE uint32_t mix(uint32_t bits) {  // lowbias32
    bits = (bits ^ (bits >> 16)) * 0x7FEB352Du;
    bits = (bits ^ (bits >> 15)) * 0x846CA68Bu;
    return bits ^ (bits >> 16);
}

inline uint64_t mask_key(uint64_t seed, uint64_t layer, uint64_t step) {
    return mix(mix(mix(mix(seed) ^ MASK_PURPOSE) ^ layer) ^ step);
}

GANGLION_INLINE uint32_t random_integer(uint64_t key, uint32_t position) {
    return mix(mix(position ^ static_cast<uint32_t>(key)) + static_cast<uint32_t>(key >> 32));
}

}  // namespace ganglion::GANGLION_ISA
