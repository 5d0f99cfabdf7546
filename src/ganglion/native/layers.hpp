// The list of layers. Its order gives their numbers.
#pragma once

#include "activate.hpp"
#include "composite.hpp"
#include "dense.hpp"
#include "dropout.hpp"
#include "normalization.hpp"
#include "reshape.hpp"

namespace ganglion::GANGLION_ISA {

using Layers = List<Dense, Activate, Dropout, BatchNormalization, LayerNormalization, Flatten, Reshape, Residual,
                    Parallel>;

}  // namespace ganglion::GANGLION_ISA
