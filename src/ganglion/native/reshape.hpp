// Layers that only rearrange: one row's numbers lie together in the same order, whatever their shape.
#pragma once

#include "activate.hpp"

namespace ganglion::GANGLION_ISA {

struct Reshape : Activate {
    static constexpr const char* name = "reshape";
};

struct Flatten : Activate {
    static constexpr const char* name = "flatten";
};

}  // namespace ganglion::GANGLION_ISA
