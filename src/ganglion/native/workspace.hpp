// How the rows of a batch are split, and the memory of a training step.
//
// The rows are split in one of two ways, depending on sizes but never on the number of threads, so that
// results do not depend on it. Either groups of rows go through the whole network, each with its own
// gradient; or, if layers are large or use the whole batch, all rows go together and the threads divide each
// product.
#pragma once

#include "network.hpp"
#include "optimizers.hpp"

namespace ganglion::GANGLION_ISA {

constexpr size_t CACHE = 256 * 1024;       // bytes that a block of rows may take ...
constexpr size_t LARGER_CACHE = 16 << 20;  // ... and that a block of USUAL_ROWS rows may take
constexpr size_t USUAL_ROWS = 64, MOST_ROWS = 512;
// A block of images may be smaller: only the dense layers behind the convolutions need several rows.
constexpr size_t CACHE_OF_IMAGES = 512 * 1024, FEW_IMAGES = 8;
constexpr size_t MOST_GROUPS = 16;
constexpr size_t MOST_GRADIENTS = 4 << 20;                       // numbers in the gradients of all groups
constexpr double WORTH_TWO_GROUPS = 1.5e6, WORTH_A_GROUP = 8e6;  // operations of a step
constexpr size_t LEAST_ROWS = 32;                                // of a group
constexpr size_t LARGE_WEIGHT = 32768;  // numbers from which a product is worth dividing among threads
constexpr size_t SLICE = 2048;          // numbers of the flat vectors that a thread updates at a time
constexpr size_t WORTH_SLICES = 65536;  // numbers whose update is worth waking threads for

struct Split {
    size_t groups, rows_at_once;
    bool together;
};

// As many rows as fit the cache go through together; enough for a good product where they do not fill a
// larger one; at least one.
template <class T>
Facts facts(const Network& network) {
    Facts found = {};
    found.products = true;
    bool row_by_row = false;
    for (size_t i = 0; i < network.count; ++i) {
        const Step& step = network.steps[i];
        with_kind(Layers{}, step.kind, [&](auto kind) {
            found.work += kind.work(step);
            if (kind.product(step) >= LARGE_WEIGHT) found.large_work += kind.work(step);
            found.uses_batch = found.uses_batch || kind.uses_batch;
            row_by_row = row_by_row || kind.row_by_row;
            found.products = found.products && (kind.is_product || !step.learns);
        });
    }
    const size_t bytes = row_bytes<T>(network),
                 usual = row_by_row ? smaller(USUAL_ROWS, larger(FEW_IMAGES, CACHE_OF_IMAGES / bytes))
                                    : smaller(USUAL_ROWS, LARGER_CACHE / bytes);
    found.rows_at_once = larger(larger(1, usual), smaller(MOST_ROWS, CACHE / bytes));
    return found;
}

inline Split split(const Network& network, size_t rows) {
    const Facts& facts = network.facts;
    const double work = 3.0 * static_cast<double>(rows) * facts.work;  // the backward pass is two more
    size_t groups = 1;
    if (work >= WORTH_TWO_GROUPS)
        while (groups < MOST_GROUPS && 2 * groups * LEAST_ROWS <= rows &&
               2 * groups * network.gradients <= MOST_GRADIENTS &&
               (groups == 1 || 2 * static_cast<double>(groups) * WORTH_A_GROUP <= work))
            groups *= 2;
    const bool few = groups == 1 || rows / groups < 256;
    const bool mostly_large = 2 * facts.large_work >= facts.work && facts.large_work > 0;
    const bool together =
        facts.uses_batch || (work >= WORTH_TWO_GROUPS && (groups == 1 || (mostly_large && few)));
    if (together) return {1, rows, true};
    const size_t most = (rows + groups - 1) / groups,
                 blocks = (most + facts.rows_at_once - 1) / facts.rows_at_once;
    return {groups, (most + blocks - 1) / blocks, false};
}

// The sum of squares of a slice's gradient, and its penalty.
struct Sums {
    double squares, penalty;
};

// The gradient of one row-sparse table over a batch. `row_of` lists the `count` rows of the table read so
// far, in the order of `gradient`. `place_of` a row is its index there; it is valid only if row_of agrees, so
// it need not be cleared between batches.
template <class T>
struct SparseGradient {
    T *kept,
        *gradient;  // of the step's output for each row of the batch; of the rows of the table
    uint32_t* place_of;
    size_t* row_of;
    size_t count;
};

// The memory of training steps over `rows` rows each.
template <class T>
struct Workspace {
    Split way;
    Workers<T> workers;
    Block<T>* blocks;
    T* gradients;  // one for each group, without those of row-sparse arrays
    double* group_losses;
    Sums* sums;
    Failure* outcomes;
    Slice<T>* slices;
    size_t slice_count, dense_slices, stride;
    SparseGradient<T>* sparse;  // of each step; null if no step is row-sparse
    T** kept;
    double per_weight;    // the factor of the batch's penalties
    double bound;         // no parameter is larger, as long as plain SGD updates them
    Factors<T>* factors;  // of each step's gradient; null if gradients are computed
};

// Whether the gradient need not be computed: for one row it is a product, which plain SGD can subtract
// directly.
inline bool leaves_factors(const Network& network, const Run& run, size_t rows) {
    const bool penalty = run.regularization.l1 != 0 || run.regularization.l2 != 0;
    return run.steps && rows == 1 && network.facts.products && !penalty && is_bounded(run.optimizer);
}

template <class T>
double largest_size(size_t count, const T* x) {
    Vector<T> most{};
    sweep<T>(count, [&](size_t i, auto part) { most = maximum<T>(most, absolute<T>(load(x + i, part))); });
    return static_cast<double>(fold<T>(most, [](Vector<T> a, Vector<T> b) { return maximum<T>(a, b); }));
}

template <class T>
Workspace<T> lay_out(Arena& arena, const Network& network, const Run& run, size_t rows) {
    Workspace<T> space = {};
    space.way = split(network, rows);
    const size_t threads = run.team->size();
    const size_t blocks = space.way.groups == 1 ? 1 : threads;
    space.workers = {run.team, arena.take<T>(threads * Workers<T>::panel_size)};
    space.blocks = arena.take<Block<T>>(blocks);
    for (size_t i = 0; i < blocks; ++i) {
        const Block<T> block = make_block<T>(arena, network, space.way.rows_at_once);
        if (arena.at) space.blocks[i] = block;
    }
    space.stride = (network.gradients + 63) / 64 * 64;
    space.gradients = arena.take<T>(space.way.groups * space.stride);
    space.group_losses = arena.take<double>(space.way.groups);
    size_t most = network.segment_count + network.gradients / SLICE + 1;
    if (network.gradients < network.parameters) {
        space.sparse = arena.take<SparseGradient<T>>(network.count);
        space.kept = arena.take<T*>(network.count);
    }
    for (size_t i = 0; network.gradients < network.parameters && i < network.count; ++i) {
        const Step& step = network.steps[i];
        with_kind(Layers{}, step.kind, [&](auto kind) {
            if constexpr (kind.row_sparse) {
                const size_t table = kind.table_rows(step);
                const size_t read = smaller(
                    table, kind.most_read(step, run.x[step.reads[0]], run.order, run.order_size, rows));
                SparseGradient<T> own = {};
                own.kept = arena.take<T>(rows * step.outputs);
                own.gradient = arena.take<T>(read * step.columns);
                own.place_of = arena.take<uint32_t>(table);
                own.row_of = arena.take<size_t>(read);
                most += read / larger(1, SLICE / step.columns) + 1;
                if (arena.at) space.sparse[i] = own, space.kept[i] = own.kept;
            }
        });
    }
    space.sums = arena.take<Sums>(most);
    space.outcomes = arena.take<Failure>(most);
    space.slices = arena.take<Slice<T>>(most);
    if (leaves_factors(network, run, rows)) {
        Factors<T>* factors = arena.take<Factors<T>>(network.count);
        for (size_t i = 0; i < network.count; ++i) {
            T* grad = arena.take<T>(network.steps[i].outputs);
            if (arena.at) factors[i] = {nullptr, grad};
        }
        space.factors = factors;
    }
    if (!arena.at) return space;
    const bool alike =
        run.regularization.l1 == 0 && run.regularization.l2 == 0 && run.optimizer.weight_decay == 0;
    const auto cut = [&](size_t start, size_t stop, size_t gradient, bool penalized) {
        const size_t parts = (stop - start + SLICE - 1) / SLICE;
        for (size_t i = 0; i < parts; ++i) {
            const size_t length = ((stop - start + parts - 1) / parts + 15) / 16 * 16;
            const size_t from = start + i * length;
            if (from < stop)
                space.slices[space.slice_count++] = {from,
                                                     smaller(stop, from + length) - from,
                                                     space.gradients + gradient + (from - start),
                                                     space.way.groups,
                                                     penalized,
                                                     nullptr,
                                                     0};
        }
    };
    size_t gradient = 0;  // the offset of the next segment's gradient
    for (size_t i = 0; i < network.segment_count;) {
        const Segment first = network.segments[i];
        size_t stop = first.stop;
        ++i;
        if (first.row_sparse) continue;
        while (alike && i < network.segment_count && !network.segments[i].row_sparse)
            stop = network.segments[i++].stop;
        cut(first.start, stop, gradient, first.penalized && !alike);
        gradient += stop - first.start;
    }
    space.dense_slices = space.slice_count;
    return space;
}

// Sums the gradients of the table rows that a batch read, and adds slices of them.
template <class T>
void collect(const Network& network, const Run& run, Workspace<T>& space, const int64_t* order, size_t rows) {
    space.slice_count = space.dense_slices;
    if (!space.sparse) return;
    const bool decays =
        run.regularization.l1 != 0 || run.regularization.l2 != 0 || run.optimizer.weight_decay != 0;
    for (size_t i = 0; i < network.count; ++i) {
        const Step& step = network.steps[i];
        with_kind(Layers{}, step.kind, [&](auto kind) {
            if constexpr (kind.row_sparse) {
                const size_t units = step.columns, at_once = larger(1, SLICE / units);
                SparseGradient<T>& own = space.sparse[i];
                own.count = 0;
                kind.template each_read<T>(
                    step, run.x[step.reads[0]], order, rows, own.kept,
                    [&](size_t row) { fetch(own.place_of + row, 1); },
                    [&](size_t row, T factor, const T* grad) {
                        size_t place = own.place_of[row];
                        if (place >= own.count || own.row_of[place] != row) {
                            place = own.count++;
                            own.place_of[row] = static_cast<uint32_t>(place);
                            own.row_of[place] = row;
                            memset(own.gradient + place * units, 0, units * sizeof(T));
                        }
                        add_scaled<T>(units, grad, factor, own.gradient + place * units);
                    });
                for (size_t place = 0; place < own.count; place += at_once)
                    space.slices[space.slice_count++] = {step.parameters,
                                                         smaller(at_once, own.count - place) * units,
                                                         own.gradient + place * units,
                                                         1,
                                                         decays,
                                                         own.row_of + place,
                                                         units};
            }
        });
    }
}

}  // namespace ganglion::GANGLION_ISA
