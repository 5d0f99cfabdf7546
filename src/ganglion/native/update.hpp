// From the gradients of a batch to new parameters: penalties, norm, clipping, the optimizer, and what follows
// it.
#pragma once

#include "memory.hpp"

namespace ganglion::GANGLION_ISA {

// Adds the groups' gradients and the penalties' in a slice into the first.
template <class T>
Sums reduce(const Run& run, const Memory<T>& memory, Slice slice) {
    const T l1 = T(run.regularization.l1 * memory.per_weight),
            l2 = T(run.regularization.l2 * memory.per_weight);
    const T* parameters = static_cast<const T*>(run.parameters);
    const bool penalized = slice.penalized && (l1 != 0 || l2 != 0);
    const bool changes = penalized || memory.way.groups > 1;
    const size_t count = slice.stop - slice.start;
    if (!changes) return {static_cast<double>(sum_of_squares<T>(count, memory.gradients + slice.start)), 0};
    Vector<T> squares[4] = {}, penalties[4] = {};
    sweep_by_4<T>(count, [&](size_t i, auto part, size_t n) {
        T* at = memory.gradients + slice.start + i;
        Vector<T> g = load(at, part);
        for (size_t group = 1; group < memory.way.groups; ++group)
            g += load(at + group * memory.stride, part);
        if (penalized) {
            const Vector<T> w = load(parameters + slice.start + i, part);
            g += sign<T>(w) * l1 + w * l2;
            penalties[n] += absolute<T>(w) * l1 + w * w * (l2 * T(0.5));
        }
        store(at, g, part);
        squares[n] += g * g;
    });
    return {static_cast<double>(sum<T>(squares[0] + squares[1] + squares[2] + squares[3])),
            static_cast<double>(sum<T>(penalties[0] + penalties[1] + penalties[2] + penalties[3]))};
}

template <class T>
double norm(const Memory<T>& memory) {
    double squares = 0;
    for (size_t i = 0; i < memory.slice_count; ++i) squares += memory.sums[i].squares;
    return __builtin_sqrt(squares);
}

template <class T>
double penalty(const Memory<T>& memory) {
    double sum = 0;
    for (size_t i = 0; i < memory.slice_count; ++i) sum += memory.sums[i].penalty;
    return sum;
}

// Takes one step where the gradient was left in its factors, and writes its norm. Returns whether it was
// taken; where a number might overflow it was not, and the gradient is worked out, for `update` to look at
// each.
template <class T>
bool update_by_factors(const Network& network, Run& run, Memory<T>& memory, double rate, double* norm) {
    double squares = 0;
    for (size_t i = 0; i < network.count; ++i) {
        const Layer& layer = network.layers[i];
        if (learns(layer))
            squares += (static_cast<double>(sum_of_squares<T>(layer.inputs, memory.factors[i].x)) + 1) *
                       static_cast<double>(sum_of_squares<T>(layer.outputs, memory.factors[i].grad));
    }
    *norm = __builtin_sqrt(squares);
    const Optimizer& optimizer = run.optimizer;
    const double clip =
        optimizer.clip_norm != 0 && *norm > optimizer.clip_norm ? optimizer.clip_norm / *norm : 1;
    const double bound = memory.bound + rate * (*norm * clip + optimizer.weight_decay * memory.bound);
    const bool safe = bound < Format<T>::largest / 4;  // false for NaN too
    for (size_t i = 0; i < network.count; ++i) {
        const Layer& layer = network.layers[i];
        if (!learns(layer)) continue;
        const size_t inputs = layer.inputs, units = layer.outputs;
        const T *x = memory.factors[i].x, *grad = memory.factors[i].grad;
        if (!safe) {
            const Workers<T> alone = {nullptr, memory.workers.panels};
            dense_backward_parameters<T>(layer, alone, 1, x, grad, memory.gradients + layer.parameters,
                                         false);
            continue;
        }
        T* weight = static_cast<T*>(run.parameters) + layer.parameters;
        const T keep = T(1 - rate * optimizer.weight_decay), step = T(rate * clip);
        for (size_t k = 0; k <= inputs; ++k) {  // the last row is the bias
            const T factor = k < inputs ? x[k] * step : step, kept = k < inputs ? keep : T(1);
            T* row = weight + k * units;
            sweep<T>(units, [&](size_t j, auto part) {
                store(row + j, load(row + j, part) * kept - load(grad + j, part) * factor, part);
            });
        }
    }
    if (safe) memory.bound = bound, run.update += 1;
    return safe;
}

// Takes one step, and returns the norm of the gradient; run.failure tells what was not finite, and the
// parameters are then as they were. Each slice is reduced and updated in one go, unless the norm must be
// known in between.
template <class T>
double update(Run& run, Memory<T>& memory, Team* team, double rate) {
    const Optimizer& optimizer = run.optimizer;
    const Settings<T> settings = settings_of<T>(optimizer, rate, run.update + 1);
    T *parameters = static_cast<T*>(run.parameters),
      *slots[2] = {static_cast<T*>(run.slots[0]), static_cast<T*>(run.slots[1])};
    T clip = T(1);
    bool safe = false;
    const auto reduce_slice = [&](size_t piece, size_t) {
        memory.sums[piece] = reduce<T>(run, memory, memory.slices[piece]);
    };
    const auto update_slice = [&](size_t piece, size_t) {
        const Slice slice = memory.slices[piece];
        const size_t at = slice.start;
        const T decay = slice.penalized ? T(rate * optimizer.weight_decay) : T(0);
        memory.outcomes[piece] = Failure::none;
        if (safe)
            return update_safely<T>(settings, clip, decay, slice.stop - at, memory.gradients + at,
                                    parameters + at);
        const bool finite = update<T>(optimizer, settings, clip, decay, slice.stop - at,
                                      memory.gradients + at, parameters + at,
                                      slots[0] ? slots[0] + at : nullptr, slots[1] ? slots[1] + at : nullptr);
        memory.outcomes[piece] = finite ? Failure::none : Failure::weight;
    };
    if (optimizer.clip_norm != 0 || is_bounded(optimizer)) {
        each(team, memory.slice_count, reduce_slice);
        const double found = norm<T>(memory);
        if (!__builtin_isfinite(found)) {
            run.failure = Failure::gradient;
            return found;
        }
        if (optimizer.clip_norm != 0 && found > optimizer.clip_norm) clip = T(optimizer.clip_norm / found);
        memory.bound += rate * (found * clip + optimizer.weight_decay * memory.bound);
        safe = is_bounded(optimizer) && memory.bound < Format<T>::largest / 4;
        each(team, memory.slice_count, update_slice);
    } else {
        each(team, memory.slice_count, [&](size_t piece, size_t worker) {
            reduce_slice(piece, worker);
            memory.outcomes[piece] = Failure::gradient;
            if (__builtin_isfinite(memory.sums[piece].squares)) update_slice(piece, worker);
        });
    }
    for (size_t i = 0; i < memory.slice_count; ++i)
        if (memory.outcomes[i] != Failure::none && run.failure != Failure::gradient)
            run.failure = memory.outcomes[i];
    if (run.failure != Failure::none)
        for (size_t i = 0; i < memory.slice_count; ++i) {
            const Slice slice = memory.slices[i];
            // Where it was updated, the gradient's place holds the parameters as they were.
            if (memory.outcomes[i] != Failure::gradient)
                memcpy(parameters + slice.start, memory.gradients + slice.start,
                       (slice.stop - slice.start) * sizeof(T));
        }
    run.update += run.failure != Failure::gradient;
    return norm<T>(memory);
}

// Scales down the weights into each unit whose norm exceeds the largest allowed.
template <class T>
void limit(const Network& network, T most, T* parameters) {
    for (size_t s = 0; s < network.segment_count; ++s) {
        const Segment segment = network.segments[s];
        if (!segment.penalized) continue;
        const size_t columns = segment.columns, rows = (segment.stop - segment.start) / columns;
        sweep<T>(columns, [&](size_t j, auto part) {
            T* at = parameters + segment.start + j;
            Vector<T> squares{};
            for (size_t i = 0; i < rows; ++i)
                squares += load(at + i * columns, part) * load(at + i * columns, part);
            const Vector<T> scale = most / maximum<T>(square_root(squares), all<T>(most));
            for (size_t i = 0; i < rows; ++i)
                store(at + i * columns, load(at + i * columns, part) * scale, part);
        });
    }
}

// What follows an update: the limit of the weights, the running averages of layers and of the parameters.
template <class T>
void follow_up(const Network& network, Run& run, const Memory<T>& memory) {
    T* parameters = static_cast<T*>(run.parameters);
    if (run.regularization.max_norm != 0) limit<T>(network, T(run.regularization.max_norm), parameters);
    for (size_t i = 0; i < network.count; ++i) {
        const Layer& layer = network.layers[i];
        if (layer.kind != LayerKind::batch_normalization) continue;
        const T* mean = memory.blocks[0].caches[i].statistics;
        T* running = static_cast<T*>(run.state) + layer.state;
        batch_normalization_state<T>(memory.way.rows_at_once * (layer.inputs / layer.features),
                                     layer.features, T(layer.rate), mean, mean + layer.features, running,
                                     running + layer.features);
    }
    if (T* average = static_cast<T*>(run.mean)) {
        const double t = static_cast<double>(run.update),
                     keep = run.optimizer.average < t / (t + 9) ? run.optimizer.average : t / (t + 9);
        sweep<T>(network.parameters, [&](size_t i, auto part) {
            const Vector<T> m = load(average + i, part);
            store(average + i, m + (load(parameters + i, part) - m) * T(1 - keep), part);
        });
    }
}

}  // namespace ganglion::GANGLION_ISA
