// A network's forward and backward pass over a block of rows, and the memory that they need.
#pragma once

#include "dense.hpp"
#include "dropout.hpp"
#include "losses.hpp"
#include "normalization.hpp"

namespace ganglion::GANGLION_ISA {

// Hands out memory from one piece, or counts what would be needed where there is none.
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

// What a layer's forward pass leaves for backward.
template <class T>
struct Cache {
    const T* x;
    const T* seen;  // z or a, as the derivative of its activation needs
    T *z, *a, *normal, *statistics;
};

// Room for some rows on their way through the network.
template <class T>
struct Block {
    T *x, *y, *values, *grad, *other_grad;
    Cache<T>* caches;
};

inline size_t widest(const Network& network) {
    size_t most = network.inputs;
    for (size_t i = 0; i < network.count; ++i) most = larger(most, network.layers[i].outputs);
    return most;
}

inline bool is_normalization(const Layer& layer) {
    return layer.kind == LayerKind::batch_normalization || layer.kind == LayerKind::layer_normalization;
}

template <class T>
Block<T> make_block(Arena& arena, const Network& network, size_t rows) {
    Block<T> block = {};
    const size_t most = rows * widest(network);
    block.x = arena.take<T>(rows * network.inputs);
    block.y = arena.take<T>(rows * network.outputs);
    block.values = arena.take<T>(rows * network.outputs);
    block.grad = arena.take<T>(most);
    block.other_grad = arena.take<T>(most);
    block.caches = arena.take<Cache<T>>(network.count);
    for (size_t i = 0; i < network.count; ++i) {
        const Layer& layer = network.layers[i];
        Cache<T> cache = {};
        cache.a = arena.take<T>(rows * layer.outputs);
        if (layer.kind == LayerKind::dense && needs_z(layer.activation))
            cache.z = arena.take<T>(rows * layer.outputs);
        if (is_normalization(layer)) {
            const size_t each = larger(3 * layer.features, rows * (layer.inputs / layer.features));
            cache.normal = arena.take<T>(rows * layer.outputs);
            cache.statistics = arena.take<T>(each);
        }
        if (arena.at) block.caches[i] = cache;
    }
    return block;
}

// The bytes of one row in a block, to choose how many rows fit a cache.
template <class T>
size_t row_bytes(const Network& network) {
    Arena one = {nullptr}, many = {nullptr};
    make_block<T>(one, network, 16);
    make_block<T>(many, network, 272);
    return larger(1, (many.used - one.used) / 256);
}

// What a pass needs to know apart from its rows.
template <class T>
struct Pass {
    const Network& network;
    const T *parameters, *state;
    bool from_z;  // stop before the last activation
    bool training;
    uint64_t seed, step;
    Workers<T> workers;

    Activation activation(size_t i) const {
        const bool left_out = from_z && i + 1 == network.count;
        return left_out ? Activation{ActivationKind::identity, 0} : network.layers[i].activation;
    }
};

// Returns the outputs, which lie in the block, or in x where no layer did anything. `first` is the place of
// the first row in its batch.
template <class T>
const T* forward(const Pass<T>& pass, size_t first, size_t rows, const T* x, Block<T>& block) {
    for (size_t i = 0; i < pass.network.count; ++i) {
        const Layer& layer = pass.network.layers[i];
        const Activation f = pass.activation(i);
        const size_t lines = rows * (layer.outputs / layer.features);
        const T* own = pass.parameters + layer.parameters;
        Cache<T>& cache = block.caches[i];
        cache.x = x;
        const T* a = cache.a;
        switch (layer.kind) {
            case LayerKind::dense: {
                const bool row_wise = is_row_wise(f.kind);
                T* z = needs_z(f) ? cache.z : nullptr;
                dense<T>(layer, row_wise ? Activation{ActivationKind::identity, 0} : f, pass.workers, rows,
                         own, x, z, cache.a);
                if (row_wise) softmax<T>(f.kind, {rows, layer.outputs, layer.outputs}, cache.a, cache.a);
                cache.seen = z ? z : cache.a;
                break;
            }
            case LayerKind::activate:
                if (f.kind == ActivationKind::identity) a = x;
                else if (is_row_wise(f.kind))
                    softmax<T>(f.kind, {lines, layer.features, layer.features}, x, cache.a);
                else activate<T>(f, {1, rows * layer.outputs, 0}, x, cache.a);
                cache.seen = needs_z(f) ? x : a;
                break;
            case LayerKind::dropout:
                if (pass.training && layer.rate > 0)
                    drop<T>(layer, pass.seed, pass.step, first * layer.outputs, rows * layer.outputs, x,
                            cache.a);
                else a = x;
                break;
            case LayerKind::batch_normalization: {
                T *mean = cache.statistics, *variance = mean + layer.features,
                  *deviation = variance + layer.features;
                if (!pass.training) memcpy(mean, pass.state + layer.state, 2 * layer.features * sizeof(T));
                batch_normalization<T>(lines, layer.features, T(layer.epsilon), pass.training, own,
                                       own + layer.features, x, mean, variance, deviation, cache.normal,
                                       cache.a);
                break;
            }
            case LayerKind::layer_normalization:
                layer_normalization<T>(lines, layer.features, T(layer.epsilon), own, own + layer.features, x,
                                       cache.statistics, cache.normal, cache.a);
        }
        x = a;
    }
    return x;
}

inline bool learns(const Layer& layer) { return layer.kind == LayerKind::dense || is_normalization(layer); }

// The gradient of a dense layer's weights over one row: x times grad, a column times a row.
template <class T>
struct Factors {
    const T* x;
    T* grad;
};

// From the gradient with respect to the outputs, in block.grad, to that of all parameters, which is added to
// `gradient` where `add`, or left in its factors where there is room for them. It goes no further back than
// the first layer that learns.
template <class T>
void backward(const Pass<T>& pass, size_t first, size_t rows, Block<T>& block, T* gradient, bool add,
              Factors<T>* factors) {
    const Layer* layers = pass.network.layers;
    size_t end = 0;
    while (end < pass.network.count && !learns(layers[end])) ++end;
    bool differentiated = false;  // whether grad is already with respect to z
    T *grad = block.grad, *other = block.other_grad;
    for (size_t i = pass.network.count; i-- > end;) {
        const Layer& layer = layers[i];
        const Activation f = pass.activation(i);
        const Cache<T>& cache = block.caches[i];
        const size_t lines = rows * (layer.outputs / layer.features);
        const T* own = pass.parameters + layer.parameters;
        T* own_gradient = gradient + layer.parameters;
        if (!differentiated && f.kind != ActivationKind::identity) {
            const size_t last_axis = layer.kind == LayerKind::dense ? layer.outputs : layer.features;
            if (is_row_wise(f.kind))
                softmax_backward<T>(f.kind, {rows * (layer.outputs / last_axis), last_axis, last_axis},
                                    cache.a, grad);
            else activate_backward<T>(f, {1, rows * layer.outputs, 0}, cache.seen, grad);
        }
        differentiated = false;
        switch (layer.kind) {
            case LayerKind::dense: {
                if (factors) {
                    factors[i].x = cache.x;
                    memcpy(factors[i].grad, grad, layer.outputs * sizeof(T));
                } else {
                    dense_backward_parameters<T>(layer, pass.workers, rows, cache.x, grad, own_gradient, add);
                }
                if (i == end) break;
                const bool bends =
                    layers[i - 1].kind == LayerKind::dense || layers[i - 1].kind == LayerKind::activate;
                differentiated = bends && !is_row_wise(layers[i - 1].activation.kind);
                const Activation before =
                    differentiated ? layers[i - 1].activation : Activation{ActivationKind::identity, 0};
                dense_backward_inputs<T>(layer, before, pass.workers, rows, own, block.caches[i - 1].seen,
                                         grad, other);
                T* swapped = grad;
                grad = other;
                other = swapped;
                break;
            }
            case LayerKind::activate: break;
            case LayerKind::dropout:
                if (layer.rate > 0)
                    drop<T>(layer, pass.seed, pass.step, first * layer.outputs, rows * layer.outputs, grad,
                            grad);
                break;
            case LayerKind::batch_normalization:
                batch_normalization_backward<T>(lines, layer.features, own,
                                                cache.statistics + 2 * layer.features, cache.normal, grad,
                                                own_gradient, own_gradient + layer.features);
                break;
            case LayerKind::layer_normalization:
                layer_normalization_backward<T>(lines, layer.features, own, cache.statistics, cache.normal,
                                                grad, own_gradient, own_gradient + layer.features, add);
        }
    }
}

}  // namespace ganglion::GANGLION_ISA
