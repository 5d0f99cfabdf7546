// A network's forward and backward pass over a block of rows, step by step, and its memory.
#pragma once

#include "layers.hpp"
#include "losses.hpp"

namespace ganglion::GANGLION_ISA {

// Allocates from one piece of memory; if `at` is null, only counts the bytes needed.
struct Arena {
    char* at;
    size_t used = 0;

    template <class T>
    T* take(size_t count) {
        const size_t begin = used;
        used += (count * sizeof(T) + 63) / 64 * 64;
        return at ? reinterpret_cast<T*>(at + begin) : nullptr;
    }
};

// The results of a step's forward pass that backward needs.
template <class T>
struct Cache {
    const T* seen;  // z or a, as the activation's derivative needs
    T *z, *a, *room;
};

// Memory for a block of rows. `values` holds the values that steps read and write, by number; `grads` the
// slots for gradients.
template <class T>
struct Block {
    const void** values;
    void** gathered;  // the rows of each input, if they had to be gathered
    T *y, *losses;
    T** grads;
    T** grad_x;  // of the current step, like `read`
    const void** read;
    Cache<T>* caches;
};

inline size_t widest(const Network& network) {
    size_t most = 0;
    for (size_t i = 0; i < network.input_count; ++i)
        if (network.inputs[i].holds == Holds::numbers) most = larger(most, network.inputs[i].width);
    for (size_t i = 0; i < network.count; ++i) most = larger(most, network.steps[i].outputs);
    return most;
}

template <class T>
Block<T> make_block(Arena& arena, const Network& network, size_t rows) {
    Block<T> block = {};
    const size_t most = rows * widest(network);
    block.gathered = arena.take<void*>(network.input_count);
    for (size_t i = 0; i < network.input_count; ++i) {
        const Input& input = network.inputs[i];
        void* room = input.holds == Holds::numbers ? static_cast<void*>(arena.take<T>(rows * input.width))
                     : input.holds == Holds::integers
                         ? static_cast<void*>(arena.take<int64_t>(rows * input.width))
                         : static_cast<void*>(arena.take<Bags<T>>(1));
        if (arena.at) block.gathered[i] = room;
    }
    block.y = arena.take<T>(rows * network.outputs);
    block.losses = arena.take<T>(rows * network.outputs);
    block.grads = arena.take<T*>(network.slots);
    for (size_t i = 0; i < network.slots; ++i) {
        T* grad = arena.take<T>(most);
        if (arena.at) block.grads[i] = grad;
    }
    block.grad_x = arena.take<T*>(network.most_reads);
    block.read = arena.take<const void*>(network.most_reads);
    block.values = arena.take<const void*>(network.input_count + network.count);
    block.caches = arena.take<Cache<T>>(network.count);
    for (size_t i = 0; i < network.count; ++i) {
        const Step& step = network.steps[i];
        Cache<T> cache = {};
        with_kind(Layers{}, step.kind, [&](auto kind) {
            if (!kind.passes || !is_identity(step.activation)) cache.a = arena.take<T>(rows * step.outputs);
            if (!kind.passes && needs_z(step.activation)) cache.z = arena.take<T>(rows * step.outputs);
            if (const size_t room = kind.template room<T>(step, rows)) cache.room = arena.take<T>(room);
        });
        if (arena.at) block.caches[i] = cache;
    }
    return block;
}

// The bytes per row of a block, from which the number of rows that fit a cache follows.
template <class T>
size_t row_bytes(const Network& network) {
    Arena one = {nullptr}, many = {nullptr};
    make_block<T>(one, network, 16);
    make_block<T>(many, network, 272);
    return larger(1, (many.used - one.used) / 256);
}

// The arguments of a pass other than its rows.
template <class T>
struct Pass {
    const Network& network;
    const T *parameters, *state;
    bool from_z;  // stop before the last activation
    bool training;
    uint64_t seed, step;
    Workers<T> workers;
    T* const* kept;  // for each row-sparse step, memory for the gradients of a batch's rows

    Here<T> here(size_t i, size_t first, size_t rows, const Block<T>& block, const void** read) const {
        const Step& step = network.steps[i];
        for (size_t k = 0; k < step.read_count; ++k) read[k] = block.values[step.reads[k]];
        const bool left_out = from_z && i + 1 == network.count;
        return {step,
                left_out ? IDENTITY : step.activation,
                parameters + step.parameters,
                state + step.state,
                read,
                block.caches[i].room,
                rows,
                first,
                training,
                seed,
                this->step,
                workers};
    }
};

// The outputs of a step for some rows, as its activation sees them.
inline Area area(const Step& step, size_t rows) {
    return {rows * (step.outputs / step.columns), step.columns, step.columns};
}

// Returns the outputs, which are in the block, or in its inputs if no step changed them. `first` is the index
// of the first row in its batch.
template <class T>
const T* forward(const Pass<T>& pass, size_t first, size_t rows, Block<T>& block) {
    const Network& network = pass.network;
    for (size_t i = 0; i < network.count; ++i) {
        const Step& step = network.steps[i];
        const Here<T> here = pass.here(i, first, rows, block, block.read);
        const Activation f = here.activation;
        Cache<T>& cache = block.caches[i];
        const T* a = cache.a;
        with_kind(Layers{}, step.kind, [&](auto kind) {
            if constexpr (kind.takes_activation) {
                T* z = needs_z(f) ? cache.z : nullptr;
                kind.template forward<T>(here, z, cache.a);
                cache.seen = z ? z : a;
            } else {
                const T* z = kind.template forward<T>(here, needs_z(f) ? cache.z : cache.a);
                if (is_identity(f)) a = z;
                else
                    each_rows(pass.workers.team, rows, step.outputs, [&](size_t begin, size_t end) {
                        activate<T>(f, area(step, end - begin), z + begin * step.outputs,
                                    cache.a + begin * step.outputs);
                    });
                cache.seen = needs_z(f) ? z : a;
            }
        });
        block.values[step.writes] = a;
    }
    return static_cast<const T*>(block.values[network.steps[network.count - 1].writes]);
}

// The gradient of a step's weights for one row: x times grad, a column times a row.
template <class T>
struct Factors {
    const T* x;
    T* grad;
};

// Computes the gradient of all parameters from the gradient with respect to the outputs, in block.grads[0].
// It is written to `gradient`, added to it if `add`, or left as factors if `factors` is not null. Values that
// do not depend on parameters get no gradient.
template <class T>
void backward(const Pass<T>& pass, size_t first, size_t rows, Block<T>& block, T* gradient, bool add,
              Factors<T>* factors) {
    const Network& network = pass.network;
    for (size_t i = network.count; i-- > 0;) {
        const Step& step = network.steps[i];
        if (!step.goes_back) continue;
        const Here<T> here = pass.here(i, first, rows, block, block.read);
        const Cache<T>& cache = block.caches[i];
        T* grad = block.grads[step.slot];
        if (!step.derivative_taken && !is_identity(here.activation))
            each_rows(pass.workers.team, rows, step.outputs, [&](size_t begin, size_t end) {
                activate_backward<T>(here.activation, area(step, end - begin),
                                     cache.seen + begin * step.outputs, grad + begin * step.outputs);
            });
        for (size_t k = 0; k < step.read_count; ++k) {
            const Return& back = step.returns[k];
            block.grad_x[k] = !back.wanted ? nullptr : block.grads[back.adds ? back.scratch : back.slot];
        }
        Back<T> back = {grad, block.grad_x, gradient + step.gradient, add, cache.a, IDENTITY, nullptr};
        if (step.before >= 0) {
            back.before = network.steps[step.before].activation;
            back.seen = block.caches[step.before].seen;
        }
        with_kind(Layers{}, step.kind, [&](auto kind) {
            if constexpr (kind.row_sparse)
                memcpy(pass.kept[i] + first * step.outputs, grad, rows * step.outputs * sizeof(T));
            if constexpr (kind.is_product)
                if (factors) {
                    factors[i].x = here.x();
                    memcpy(factors[i].grad, grad, step.outputs * sizeof(T));
                    back.gradient = nullptr;
                }
            kind.template backward<T>(here, back);
        });
        for (size_t k = 0; k < step.read_count; ++k) {
            const Return& added = step.returns[k];
            if (!added.wanted || !added.adds) continue;
            T* total = block.grads[added.slot];
            const T* part = block.grads[added.scratch];
            size_t width = 1;
            for (size_t axis = 0; axis < step.shapes[k].axes; ++axis) width *= step.shapes[k][axis];
            each_rows(pass.workers.team, rows, width, [&](size_t begin, size_t end) {
                sweep<T>((end - begin) * width, [&](size_t n, auto lanes) {
                    const size_t j = begin * width + n;
                    store(total + j, load(total + j, lanes) + load(part + j, lanes), lanes);
                });
            });
        }
    }
}

}  // namespace ganglion::GANGLION_ISA
