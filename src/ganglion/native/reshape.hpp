// Layers that change the shape: the numbers of a row stay in the same place.
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
