// How the rows of a batch are split, and the memory that a step needs.
//
// The rows are split in one of two ways, by the sizes alone and never by the number of threads, so that the
// bits do not depend on it. Either groups of rows go through the whole network, each with a gradient of its
// own; or, where the layers are large or look at the whole batch, all rows go together and the threads share
// each product.
#pragma once

#include "network.hpp"
#include "optimizers.hpp"

namespace ganglion::GANGLION_ISA {

constexpr size_t CACHE = 256 * 1024;  // bytes that a block of rows may take
constexpr size_t MOST_GROUPS = 16;
constexpr size_t MOST_GRADIENTS = 4 << 20;                       // numbers in all the gradients of groups
constexpr double WORTH_TWO_GROUPS = 1.5e6, WORTH_A_GROUP = 8e6;  // operations of a step
constexpr size_t LEAST_ROWS = 32;                                // of a group
constexpr size_t LARGE_WEIGHT = 32768;  // numbers, from which a product is worth sharing
constexpr size_t SLICE = 2048;          // numbers of the flat vectors that one thread takes at a time
constexpr size_t WORTH_SLICES = 65536;  // numbers whose update is worth waking threads for

struct Split {
    size_t groups, rows_at_once;
    bool together;
};

template <class T>
size_t rows_in_cache(const Network& network) {
    return larger(64, smaller(512, CACHE / row_bytes<T>(network)));
}

template <class T>
Split split(const Network& network, size_t rows) {
    bool whole_batch = false;
    size_t largest = 0;
    for (size_t i = 0; i < network.count; ++i) {
        const Layer& layer = network.layers[i];
        whole_batch = whole_batch || layer.kind == LayerKind::batch_normalization;
        if (layer.kind == LayerKind::dense) largest = larger(largest, layer.inputs * layer.outputs);
    }
    const double work = 6.0 * static_cast<double>(rows) * static_cast<double>(network.parameters);
    size_t groups = 1;
    if (work >= WORTH_TWO_GROUPS)
        while (groups < MOST_GROUPS && 2 * groups * LEAST_ROWS <= rows &&
               2 * groups * network.parameters <= MOST_GRADIENTS &&
               (groups == 1 || 2 * static_cast<double>(groups) * WORTH_A_GROUP <= work))
            groups *= 2;
    const bool few = groups == 1 || rows / groups < 256;
    const bool together =
        whole_batch || (work >= WORTH_TWO_GROUPS && (groups == 1 || (largest >= LARGE_WEIGHT && few)));
    if (together) return {1, rows, true};
    const size_t most = (rows + groups - 1) / groups,
                 blocks = (most + rows_in_cache<T>(network) - 1) / rows_in_cache<T>(network);
    return {groups, (most + blocks - 1) / blocks, false};
}

struct Slice {
    size_t start, stop;
    bool penalized;
};

// Of a slice, the sum of the squares of the gradient, and the penalty.
struct Sums {
    double squares, penalty;
};

// The memory of training steps over `rows` rows each.
template <class T>
struct Memory {
    Split way;
    Workers<T> workers;
    Block<T>* blocks;
    T* gradients;  // one for each group
    double* group_losses;
    Sums* sums;
    Failure* outcomes;
    Slice* slices;
    size_t slice_count, stride;
    double per_weight;    // what penalties are multiplied by for the batch
    double bound;         // no parameter is larger, as long as plain SGD moves them
    Factors<T>* factors;  // of each layer's gradient, null where it is worked out
};

// Whether the gradient need not be worked out: over one row it is a product, which plain SGD can subtract at
// once.
inline bool leaves_factors(const Network& network, const Run& run, size_t rows) {
    bool dense = true;
    for (size_t i = 0; i < network.count; ++i) dense = dense && !is_normalization(network.layers[i]);
    const bool penalty = run.regularization.l1 != 0 || run.regularization.l2 != 0;
    return run.steps && rows == 1 && dense && !penalty && is_bounded(run.optimizer);
}

template <class T>
double largest_size(size_t count, const T* x) {
    Vector<T> most{};
    sweep<T>(count, [&](size_t i, auto part) { most = maximum<T>(most, absolute<T>(load(x + i, part))); });
    return static_cast<double>(fold<T>(most, [](Vector<T> a, Vector<T> b) { return maximum<T>(a, b); }));
}

template <class T>
Memory<T> lay_out(Arena& arena, const Network& network, const Run& run, size_t rows) {
    Memory<T> memory = {};
    memory.way = split<T>(network, rows);
    const size_t threads = run.team->size();
    const size_t blocks = memory.way.groups == 1 ? 1 : threads;
    memory.workers = {run.team, arena.take<T>(threads * Workers<T>::panel_size)};
    memory.blocks = arena.take<Block<T>>(blocks);
    for (size_t i = 0; i < blocks; ++i) {
        const Block<T> block = make_block<T>(arena, network, memory.way.rows_at_once);
        if (arena.at) memory.blocks[i] = block;
    }
    memory.stride = (network.parameters + 63) / 64 * 64;
    memory.gradients = arena.take<T>(memory.way.groups * memory.stride);
    memory.group_losses = arena.take<double>(memory.way.groups);
    const size_t most = network.segment_count + network.parameters / SLICE + 1;
    memory.sums = arena.take<Sums>(most);
    memory.outcomes = arena.take<Failure>(most);
    memory.slices = arena.take<Slice>(most);
    if (leaves_factors(network, run, rows)) {
        Factors<T>* factors = arena.take<Factors<T>>(network.count);
        for (size_t i = 0; i < network.count; ++i) {
            T* grad = arena.take<T>(network.layers[i].outputs);
            if (arena.at) factors[i] = {nullptr, grad};
        }
        memory.factors = factors;
    }
    if (!arena.at) return memory;
    const bool alike =
        run.regularization.l1 == 0 && run.regularization.l2 == 0 && run.optimizer.weight_decay == 0;
    const auto cut = [&](size_t start, size_t stop, bool penalized) {
        const size_t parts = (stop - start + SLICE - 1) / SLICE;
        for (size_t i = 0; i < parts; ++i) {
            const size_t length = ((stop - start + parts - 1) / parts + 15) / 16 * 16;
            const size_t from = start + i * length;
            if (from < stop)
                memory.slices[memory.slice_count++] = {from, smaller(stop, from + length), penalized};
        }
    };
    if (alike) cut(0, network.parameters, false);
    else
        for (size_t i = 0; i < network.segment_count; ++i)
            cut(network.segments[i].start, network.segments[i].stop, network.segments[i].penalized);
    return memory;
}

}  // namespace ganglion::GANGLION_ISA
