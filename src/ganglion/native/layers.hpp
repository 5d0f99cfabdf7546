// The list of layers. Its order gives their numbers.
#pragma once

#include "activate.hpp"
#include "bins.hpp"
#include "composite.hpp"
#include "convolution.hpp"
#include "dense.hpp"
#include "dropout.hpp"
#include "embedding.hpp"
#include "global_pooling.hpp"
#include "mixture.hpp"
#include "normalization.hpp"
#include "piecewise.hpp"
#include "pooling.hpp"
#include "reshape.hpp"
#include "resize.hpp"
#include "transposed.hpp"

namespace ganglion::GANGLION_ISA {

using Layers = List<Dense, Activate, Dropout, BatchNormalization, LayerNormalization, Flatten, Reshape,
                    Residual, Parallel, MaxPool2D, AveragePool2D, GlobalMaxPool, GlobalAveragePool, Embedding,
                    EmbeddingBag, Conv1D, Conv2D, TransposedConv2D, Upsample2D, ZeroPad2D, Crop2D,
                    SpatialDropout, GroupNormalization, PiecewiseLinear, Mixture, Bins, BinnedDense>;

}  // namespace ganglion::GANGLION_ISA
