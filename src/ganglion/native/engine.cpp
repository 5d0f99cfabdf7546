// The engine of one instruction set: predictions, one gradient, many training steps.
#include "update.hpp"

namespace ganglion::GANGLION_ISA {

inline bool consecutive(const int64_t* order, size_t rows) {
    for (size_t i = 1; i < rows; ++i)
        if (order[i] != order[0] + static_cast<int64_t>(i)) return false;
    return true;
}

constexpr size_t AHEAD = 8, MOST_AHEAD = 1024;  // rows that are called from memory early, and bytes of each

// Copies rows into one piece.
template <class T>
const T* gather(Team* team, const T* from, size_t width, const int64_t* order, size_t rows, T* to) {
    const size_t pieces = rows * width < 16384 ? 1 : 8;
    each(team, pieces, [&](size_t piece, size_t) {
        const size_t end = rows * (piece + 1) / pieces;
        for (size_t i = rows * piece / pieces; i < end; ++i) {
            if (i + AHEAD < end) {
                const char* next =
                    reinterpret_cast<const char*>(from + static_cast<size_t>(order[i + AHEAD]) * width);
                for (size_t j = 0; j < smaller(width * sizeof(T), MOST_AHEAD); j += 64)
                    __builtin_prefetch(next + j);
            }
            const T* row = from + static_cast<size_t>(order[i]) * width;
            sweep<T>(width,
                     [&](size_t j, auto part) { store(to + i * width + j, load(row + j, part), part); });
        }
    });
    return to;
}

// What some rows weigh in all; each weighs 1 where no weights are given.
template <class T>
double total_weight(const Run& run, const int64_t* order, size_t rows) {
    const T* weight = static_cast<const T*>(run.weight);
    if (!weight) return static_cast<double>(rows);
    double total = 0;
    for (size_t i = 0; i < rows; ++i) total += static_cast<double>(weight[order[i]]);
    return total;
}

template <class T>
Pass<T> pass_of(const Network& network, const Run& run, bool training, Workers<T> workers) {
    return {network,
            static_cast<const T*>(run.parameters),
            static_cast<const T*>(run.state),
            run.loss.from_z,
            training,
            run.seed,
            run.step,
            workers};
}

// Mean loss and gradient of a batch; the gradients of the groups are left in memory.gradients.
template <class T>
double loss_and_gradients(const Network& network, const Run& run, Memory<T>& memory, const int64_t* order,
                          size_t rows, double total_weight) {
    const Split way = memory.way;
    const size_t features = network.features;
    const T *x = static_cast<const T*>(run.x), *y = static_cast<const T*>(run.y),
            *weight = static_cast<const T*>(run.weight);
    const size_t values_each = values_of_row(run.loss, network.outputs, features);
    const T each_share = weight ? T(1) : T(1) / T(rows), over_total = T(1 / total_weight);
    each(way.together ? nullptr : run.team, way.groups, [&](size_t group, size_t worker) {
        Block<T>& block = memory.blocks[worker];
        const Workers<T> workers = {way.together ? run.team : nullptr, memory.workers.panel(worker)};
        const Pass<T> pass = pass_of<T>(network, run, true, workers);
        T* gradient = memory.gradients + group * memory.stride;
        const size_t begin = rows * group / way.groups, end = rows * (group + 1) / way.groups;
        double loss = 0;
        for (size_t first = begin; first < end; first += way.rows_at_once) {
            const size_t count = smaller(way.rows_at_once, end - first);
            const size_t start = static_cast<size_t>(order[first]);
            const T *inputs = x + start * network.inputs, *targets = y + start * network.outputs;
            if (way.together || !consecutive(order + first, count)) {
                inputs = gather<T>(workers.team, x, network.inputs, order + first, count, block.x);
                targets = gather<T>(nullptr, y, network.outputs, order + first, count, block.y);
            }
            const T* a = forward<T>(pass, first, count, inputs, block);
            losses_and_gradients<T>(run.loss, count, network.outputs, features, a, targets, each_share,
                                    block.values, block.grad);
            if (weight) {
                row_means<T>(count, values_each, block.values, block.values);
                for (size_t i = 0; i < count; ++i) {
                    const T share = weight[order[first + i]] * over_total;
                    block.values[i] *= share;
                    for (size_t j = 0; j < network.outputs; ++j) block.grad[i * network.outputs + j] *= share;
                }
            }
            loss += total<T>(weight ? count : count * values_each, block.values);
            backward<T>(pass, first, count, block, gradient, first != begin, memory.factors);
        }
        memory.group_losses[group] = loss;
    });
    double loss = 0;
    for (size_t group = 0; group < way.groups; ++group) loss += memory.group_losses[group];
    return weight ? loss : loss / static_cast<double>(rows * values_each);
}

template <class T>
size_t train(const Network& network, Run& run) {
    const size_t batch = smaller(run.batch_size, run.order_size), rest = run.order_size % batch;
    if (!run.arena) {
        Arena whole = {nullptr}, last = {nullptr};
        lay_out<T>(whole, network, run, batch);
        if (rest) lay_out<T>(last, network, run, rest);
        return larger(whole.used, last.used);
    }
    Memory<T> memory = {};
    size_t laid_out = 0;
    for (run.done = 0; run.done < run.steps; ++run.done) {
        const int64_t* order = run.order + run.done * batch;
        const size_t rows = smaller(batch, run.order_size - run.done * batch);
        const double weight = total_weight<T>(run, order, rows);
        if (weight == 0) {  // a batch of weight 0 has no mean: it teaches nothing
            run.step += 1;
            run.losses[run.done] = run.penalties[run.done] = run.norms[run.done] = 0;
            continue;
        }
        if (rows != laid_out) {
            Arena arena = {run.arena};
            memory = lay_out<T>(arena, network, run, rows);
            memory.bound = largest_size<T>(network.parameters, static_cast<const T*>(run.parameters));
            laid_out = rows;
        }
        const double loss = loss_and_gradients<T>(network, run, memory, order, rows, weight);
        if (!__builtin_isfinite(loss)) run.failure = Failure::loss;
        if (run.failure != Failure::none) return 0;
        const bool shared =
            memory.way.groups > 1 || memory.way.together || network.parameters >= WORTH_SLICES;
        memory.per_weight = run.regularization.per_row ? 1 / weight : 1;
        double norm = 0;
        if (!memory.factors || !update_by_factors<T>(network, run, memory, run.rates[run.done], &norm))
            norm = update<T>(run, memory, shared ? run.team : nullptr, run.rates[run.done]);
        if (run.failure != Failure::none) return 0;
        follow_up<T>(network, run, memory);
        run.step += 1;
        run.losses[run.done] = loss;
        run.penalties[run.done] = memory.factors ? 0 : penalty<T>(memory);
        run.norms[run.done] = norm;
    }
    return 0;
}

// The mean loss of the rows in `order`, the penalty, and the gradient of their sum.
template <class T>
size_t gradient(const Network& network, Run& run, void* result, double* loss, double* sum_of_penalties) {
    Arena arena = {run.arena};
    Memory<T> memory = lay_out<T>(arena, network, run, run.order_size);
    if (!run.arena) return arena.used;
    const double weight = total_weight<T>(run, run.order, run.order_size);
    memory.per_weight = run.regularization.per_row ? 1 / weight : 1;
    *loss = loss_and_gradients<T>(network, run, memory, run.order, run.order_size, weight);
    for (size_t i = 0; i < memory.slice_count; ++i) memory.sums[i] = reduce<T>(run, memory, memory.slices[i]);
    *sum_of_penalties = penalty<T>(memory);
    memcpy(result, memory.gradients, network.parameters * sizeof(T));
    return 0;
}

// Activations of `rows` rows of run.x and, where `losses` is not null, their losses. `finite` tells whether
// all of the rows is.
template <class T>
size_t predict(const Network& network, const Run& run, size_t rows, void* activations, void* losses,
               bool* finite) {
    const size_t at_once = larger(1, smaller(rows, rows_in_cache<T>(network)));
    const bool shared =
        2.0 * static_cast<double>(rows) * static_cast<double>(network.parameters) >= WORTH_A_THREAD &&
        rows > at_once;
    Team* team = shared ? run.team : nullptr;
    const size_t threads = shared ? run.team->size() : 1, features = network.features;
    Arena arena = {run.arena};
    T* panels = arena.take<T>(threads * Workers<T>::panel_size);
    Block<T>* blocks = arena.take<Block<T>>(threads);
    for (size_t i = 0; i < threads; ++i) {
        const Block<T> block = make_block<T>(arena, network, at_once);
        if (run.arena) blocks[i] = block;
    }
    if (!run.arena) return arena.used;
    const T *x = static_cast<const T*>(run.x), *y = static_cast<const T*>(run.y);
    *finite = true;
    each(team, (rows + at_once - 1) / at_once, [&](size_t piece, size_t worker) {
        const size_t first = piece * at_once, count = smaller(at_once, rows - first);
        const Workers<T> alone = {nullptr, panels + worker * Workers<T>::panel_size};
        const Pass<T> pass = pass_of<T>(network, run, false, alone);
        Block<T>& block = blocks[worker];
        const T* a = forward<T>(pass, first, count, x + first * network.inputs, block);
        T* to = static_cast<T*>(activations) + first * network.outputs;
        memcpy(to, a, count * network.outputs * sizeof(T));
        if (!all_finite<T>(count * network.inputs, x + first * network.inputs))
            __atomic_store_n(finite, false, __ATOMIC_RELAXED);
        if (!losses) return;
        losses_and_gradients<T>(run.loss, count, network.outputs, features, to, y + first * network.outputs,
                                T(1), block.values, block.grad);
        row_means<T>(count, values_of_row(run.loss, network.outputs, features), block.values,
                     static_cast<T*>(losses) + first);
        if (!run.loss.from_z) return;
        const Activation f = network.layers[network.count - 1].activation;
        if (is_row_wise(f.kind))
            softmax<T>(f.kind, {count * network.outputs / features, features, features}, to, to);
        else activate<T>(f, {1, count * network.outputs, 0}, to, to);
    });
    return 0;
}

template <class T>
void function(int which, size_t count, const void* x, void* result) {
    constexpr ActivationKind kinds[] = {ActivationKind::exp, ActivationKind::tanh, ActivationKind::sigmoid};
    activate<T>({kinds[which], 0}, {1, count, 0}, static_cast<const T*>(x), static_cast<T*>(result));
}

#define GANGLION_TEXT_OF(name) #name
#define GANGLION_TEXT(name) GANGLION_TEXT_OF(name)

extern const Engine engine;
const Engine engine = {
    GANGLION_TEXT(GANGLION_ISA),
    {predict<float>, gradient<float>, train<float>, function<float>},
    {predict<double>, gradient<double>, train<double>, function<double>},
};

}  // namespace ganglion::GANGLION_ISA
