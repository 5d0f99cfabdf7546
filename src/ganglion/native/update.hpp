// From the gradients of a batch to new parameters: penalties, norm, clipping, the optimizer, and the limits
// and averages after it.
#pragma once

#include "workspace.hpp"

namespace ganglion::GANGLION_ISA {

// Adds all groups' gradients of a slice, and those of the penalties, to the first group's.
template <class T>
Sums reduce(const Run& run, const Workspace<T>& space, const Slice<T>& slice) {
    const T l1 = T(run.regularization.l1 * space.per_weight),
            l2 = T(run.regularization.l2 * space.per_weight);
    const T* parameters = static_cast<const T*>(run.parameters);
    const bool penalized = slice.penalized && (l1 != 0 || l2 != 0);
    const bool changes = penalized || slice.copies > 1;
    if (!changes) return {static_cast<double>(sum_of_squares<T>(slice.count, slice.gradient)), 0};
    Vector<T> squares[4] = {}, penalties[4] = {};
    each_piece(slice, parameters, [&](size_t start, T* gradient, size_t count) {
        sweep_by_4<T>(count, [&](size_t i, auto part, size_t n) {
            T* at = gradient + i;
            Vector<T> g = load(at, part);
            for (size_t group = 1; group < slice.copies; ++group) g += load(at + group * space.stride, part);
            if (penalized) {
                const Vector<T> w = load(parameters + start + i, part);
                g += sign<T>(w) * l1 + w * l2;
                penalties[n] += absolute<T>(w) * l1 + w * w * (l2 * T(0.5));
            }
            store(at, g, part);
            squares[n] += g * g;
        });
    });
    return {static_cast<double>(sum<T>(squares[0] + squares[1] + squares[2] + squares[3])),
            static_cast<double>(sum<T>(penalties[0] + penalties[1] + penalties[2] + penalties[3]))};
}

template <class T>
double norm(const Workspace<T>& space) {
    double squares = 0;
    for (size_t i = 0; i < space.slice_count; ++i) squares += space.sums[i].squares;
    return __builtin_sqrt(squares);
}

template <class T>
double penalty(const Workspace<T>& space) {
    double sum = 0;
    for (size_t i = 0; i < space.slice_count; ++i) sum += space.sums[i].penalty;
    return sum;
}

// Makes one update from a gradient left as factors, and writes its norm. If a number might overflow, it
// instead computes the gradient, so that `update` can check each number, and returns false.
template <class T>
bool update_by_factors(const Network& network, Run& run, Workspace<T>& space, double rate, double* norm) {
    double squares = 0;
    for (size_t i = 0; i < network.count; ++i) {
        const Step& step = network.steps[i];
        if (step.learns)
            squares += (static_cast<double>(sum_of_squares<T>(step.inputs, space.factors[i].x)) + 1) *
                       static_cast<double>(sum_of_squares<T>(step.outputs, space.factors[i].grad));
    }
    *norm = __builtin_sqrt(squares);
    const Optimizer& optimizer = run.optimizer;
    const double clip =
        optimizer.clip_norm != 0 && *norm > optimizer.clip_norm ? optimizer.clip_norm / *norm : 1;
    const double bound = space.bound + rate * (*norm * clip + optimizer.weight_decay * space.bound);
    const bool safe = bound < Format<T>::largest / 4;  // false for NaN too
    for (size_t i = 0; i < network.count; ++i) {
        const Step& step = network.steps[i];
        if (!step.learns) continue;
        const size_t inputs = step.inputs, units = step.outputs;
        const T *x = space.factors[i].x, *grad = space.factors[i].grad;
        if (!safe) {
            const Workers<T> alone = {nullptr, space.workers.panels};
            dense_backward_parameters<T>(inputs, units, alone, 1, x, grad, space.gradients + step.gradient,
                                         false);
            continue;
        }
        T* weight = static_cast<T*>(run.parameters) + step.parameters;
        const T keep = T(1 - rate * optimizer.weight_decay), length = T(rate * clip);
        for (size_t k = 0; k <= inputs; ++k) {  // the last row is the bias
            const T factor = k < inputs ? x[k] * length : length, kept = k < inputs ? keep : T(1);
            T* row = weight + k * units;
            sweep<T>(units, [&](size_t j, auto part) {
                store(row + j, load(row + j, part) * kept - load(grad + j, part) * factor, part);
            });
        }
    }
    if (safe) space.bound = bound, run.update += 1;
    return safe;
}

// Makes one update and returns the norm of the gradient. If a number is not finite, sets run.failure and
// leaves the parameters unchanged. Each slice is reduced and updated in one go, unless the norm is needed in
// between.
template <class T>
double update(Run& run, Workspace<T>& space, Team* team, double rate) {
    const Optimizer& optimizer = run.optimizer;
    const Settings<T> settings = settings_of<T>(optimizer, rate, run.update + 1);
    T *parameters = static_cast<T*>(run.parameters),
      *slots[2] = {static_cast<T*>(run.slots[0]), static_cast<T*>(run.slots[1])};
    T clip = T(1);
    bool safe = false;
    const auto reduce_slice = [&](size_t piece, size_t) {
        space.sums[piece] = reduce<T>(run, space, space.slices[piece]);
    };
    const auto update_slice = [&](size_t piece, size_t) {
        const Slice<T>& slice = space.slices[piece];
        const T decay = slice.penalized ? T(rate * optimizer.weight_decay) : T(0);
        space.outcomes[piece] = Failure::none;
        if (safe) return update_safely<T>(settings, clip, decay, slice, parameters);
        const bool finite = update<T>(optimizer, settings, clip, decay, slice, parameters, slots);
        space.outcomes[piece] = finite ? Failure::none : Failure::weight;
    };
    if (optimizer.clip_norm != 0 || is_bounded(optimizer)) {
        each(team, space.slice_count, reduce_slice);
        const double found = norm<T>(space);
        if (!__builtin_isfinite(found)) {
            run.failure = Failure::gradient;
            return found;
        }
        if (optimizer.clip_norm != 0 && found > optimizer.clip_norm) clip = T(optimizer.clip_norm / found);
        space.bound += rate * (found * clip + optimizer.weight_decay * space.bound);
        safe = is_bounded(optimizer) && space.bound < Format<T>::largest / 4;
        each(team, space.slice_count, update_slice);
    } else {
        each(team, space.slice_count, [&](size_t piece, size_t worker) {
            reduce_slice(piece, worker);
            space.outcomes[piece] = Failure::gradient;
            if (__builtin_isfinite(space.sums[piece].squares)) update_slice(piece, worker);
        });
    }
    for (size_t i = 0; i < space.slice_count; ++i)
        if (space.outcomes[i] != Failure::none && run.failure != Failure::gradient)
            run.failure = space.outcomes[i];
    if (run.failure != Failure::none)
        for (size_t i = 0; i < space.slice_count; ++i) {
            // If a slice was updated, its gradient holds the old parameters.
            if (space.outcomes[i] != Failure::gradient)
                each_piece(space.slices[i], parameters, [&](size_t start, const T* gradient, size_t count) {
                    memcpy(parameters + start, gradient, count * sizeof(T));
                });
        }
    run.update += run.failure != Failure::gradient;
    return norm<T>(space);
}

// Scales down the weights into each unit whose norm exceeds the limit.
template <class T>
void limit(const Network& network, T most, T* parameters) {
    for (size_t s = 0; s < network.segment_count; ++s) {
        const Segment segment = network.segments[s];
        if (!segment.penalized || segment.row_sparse) continue;
        const size_t columns = segment.columns, rows = (segment.stop - segment.start) / columns;
        sweep<T>(columns, [&](size_t j, auto part) {
            T* at = parameters + segment.start + j;
            Vector<T> squares{};
            for (size_t i = 0; i < rows; ++i)
                squares += load(at + i * columns, part) * load(at + i * columns, part);
            const Vector<T> scale = most / maximum<T>(square_root(squares), broadcast<T>(most));
            for (size_t i = 0; i < rows; ++i)
                store(at + i * columns, load(at + i * columns, part) * scale, part);
        });
    }
}

// After an update: limits the norms, updates the running averages of layers and of the parameters.
template <class T>
void follow_up(const Pass<T>& pass, Run& run, const Workspace<T>& space) {
    const Network& network = pass.network;
    T* parameters = static_cast<T*>(run.parameters);
    if (run.regularization.max_norm != 0) limit<T>(network, T(run.regularization.max_norm), parameters);
    for (size_t i = 0; i < network.count; ++i)
        with_kind(Layers{}, network.steps[i].kind, [&](auto kind) {
            if constexpr (kind.has_state)
                kind.template next_state<T>(
                    pass.here(i, 0, space.way.rows_at_once, space.blocks[0], space.blocks[0].read),
                    static_cast<T*>(run.state) + network.steps[i].state);
        });
    if (T* average = static_cast<T*>(run.mean)) {
        const double t = static_cast<double>(run.update),
                     keep = run.optimizer.average < t / (t + 9) ? run.optimizer.average : t / (t + 9);
        for (size_t s = 0; s < space.slice_count; ++s)
            each_piece(space.slices[s], parameters, [&](size_t start, const T*, size_t count) {
                sweep<T>(count, [&](size_t i, auto part) {
                    const Vector<T> m = load(average + start + i, part);
                    store(average + start + i, m + (load(parameters + start + i, part) - m) * T(1 - keep),
                          part);
                });
            });
    }
}

}  // namespace ganglion::GANGLION_ISA
