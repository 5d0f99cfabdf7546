// The engine of one instruction set: predictions, one gradient, many training steps.
//
// The rows of a batch are split in one of two ways, by the sizes alone and never by the number of threads, so
// that the bits do not depend on it. Either groups of rows go through the whole network, each with a gradient
// of its own; or, where the layers are large or look at the whole batch, all rows go together and the threads
// share each product.
#include "network.hpp"
#include "optimizers.hpp"

namespace ganglion::GANGLION_ISA {

constexpr size_t CACHE = 256 * 1024;  // bytes that a block of rows may take
constexpr size_t MOST_GROUPS = 16;
constexpr size_t MOST_GRADIENTS = 4 << 20;                     // numbers in all the gradients of groups
constexpr double WORTH_TWO_GROUPS = 4e6, WORTH_A_GROUP = 8e6;  // operations of a step
constexpr size_t LEAST_ROWS = 32;                              // of a group
constexpr size_t LARGE_WEIGHT = 32768;  // numbers, from which a product is worth sharing
constexpr size_t SLICE = 4096;          // numbers of the flat vectors that one thread takes at a time
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

// The memory of training steps over `rows` rows each.
template <class T>
struct Memory {
    Split way;
    Workers<T> workers;
    Block<T>* blocks;
    T* gradients;  // one for each group
    double *group_losses, *squares;
    Failure* outcomes;
    Slice* slices;
    size_t slice_count, stride;
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
    memory.squares = arena.take<double>(most);
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

inline bool consecutive(const int64_t* order, size_t rows) {
    for (size_t i = 1; i < rows; ++i)
        if (order[i] != order[0] + static_cast<int64_t>(i)) return false;
    return true;
}

// Copies rows into one piece.
template <class T>
const T* gather(Team* team, const T* from, size_t width, const int64_t* order, size_t rows, T* to) {
    const size_t pieces = rows * width < 16384 ? 1 : 8;
    each(team, pieces, [&](size_t piece, size_t) {
        for (size_t i = rows * piece / pieces; i < rows * (piece + 1) / pieces; ++i) {
            const T* row = from + static_cast<size_t>(order[i]) * width;
            sweep<T>(width,
                     [&](size_t j, auto part) { store(to + i * width + j, load(row + j, part), part); });
        }
    });
    return to;
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

// Adds the groups' gradients and the penalties' in a slice into the first, and returns the sum of their
// squares.
template <class T>
double reduce(const Run& run, const Memory<T>& memory, Slice slice) {
    const T l1 = T(run.regularization.l1), l2 = T(run.regularization.l2);
    const T* parameters = static_cast<const T*>(run.parameters);
    const bool penalized = slice.penalized && (l1 != 0 || l2 != 0);
    const bool changes = penalized || memory.way.groups > 1;
    Vector<T> squares[4] = {};
    if (!changes) {
        const T* gradient = memory.gradients + slice.start;
        sweep_by_4<T>(slice.stop - slice.start, [&](size_t i, auto part, size_t n) {
            const Vector<T> g = load(gradient + i, part);
            squares[n] += g * g;
        });
        return static_cast<double>(sum<T>(squares[0] + squares[1] + squares[2] + squares[3]));
    }
    sweep_by_4<T>(slice.stop - slice.start, [&](size_t i, auto part, size_t n) {
        T* at = memory.gradients + slice.start + i;
        Vector<T> g = load(at, part);
        for (size_t group = 1; group < memory.way.groups; ++group)
            g += load(at + group * memory.stride, part);
        if (penalized) {
            const Vector<T> w = load(parameters + slice.start + i, part);
            g += sign<T>(w) * l1 + w * l2;
        }
        store(at, g, part);
        squares[n] += g * g;
    });
    return static_cast<double>(sum<T>(squares[0] + squares[1] + squares[2] + squares[3]));
}

template <class T>
double norm(const Memory<T>& memory) {
    double squares = 0;
    for (size_t i = 0; i < memory.slice_count; ++i) squares += memory.squares[i];
    return __builtin_sqrt(squares);
}

// The same where the gradient was left in its factors: `true` if the step was taken, else it is worked out
// now.
template <class T>
bool update_by_factors(const Network& network, Run& run, Memory<T>& memory, double rate, double* norm) {
    const auto square = [](size_t count, const T* x) {
        Vector<T> squares[4] = {};
        sweep_by_4<T>(count, [&](size_t i, auto part, size_t n) {
            squares[n] += load(x + i, part) * load(x + i, part);
        });
        return static_cast<double>(sum<T>(squares[0] + squares[1] + squares[2] + squares[3]));
    };
    double squares = 0;
    for (size_t i = 0; i < network.count; ++i) {
        const Layer& layer = network.layers[i];
        if (learns(layer))
            squares += (square(layer.inputs, memory.factors[i].x) + 1) *
                       square(layer.outputs, memory.factors[i].grad);
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
        memory.squares[piece] = reduce<T>(run, memory, memory.slices[piece]);
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
            if (__builtin_isfinite(memory.squares[piece])) update_slice(piece, worker);
        });
    }
    for (size_t i = 0; i < memory.slice_count; ++i)
        if (memory.outcomes[i] != Failure::none && run.failure != Failure::gradient)
            run.failure = memory.outcomes[i];
    if (run.failure != Failure::none)
        for (size_t i = 0; i < memory.slice_count; ++i) {
            const Slice slice = memory.slices[i];
            if (memory.outcomes[i] !=
                Failure::gradient)  // it was updated, and the gradient's place holds what was there
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

template <class T>
size_t train(const Network& network, Run& run) {
    const size_t batch = smaller(run.batch_size, run.order_size), rest = run.order_size % batch;
    if (!run.arena) {
        Arena whole = {nullptr}, last = {nullptr};
        lay_out<T>(whole, network, run, batch);
        if (rest) lay_out<T>(last, network, run, rest);
        return larger(whole.used, last.used);
    }
    const T* weight = static_cast<const T*>(run.weight);
    Memory<T> memory = {};
    size_t laid_out = 0;
    for (run.done = 0; run.done < run.steps; ++run.done) {
        const int64_t* order = run.order + run.done * batch;
        const size_t rows = smaller(batch, run.order_size - run.done * batch);
        double total = static_cast<double>(rows);
        if (weight) {
            total = 0;
            for (size_t i = 0; i < rows; ++i) total += static_cast<double>(weight[order[i]]);
            if (total == 0) {  // a batch of weight 0 has no mean: it teaches nothing
                run.step += 1;
                run.losses[run.done] = run.norms[run.done] = 0;
                continue;
            }
        }
        if (rows != laid_out) {
            Arena arena = {run.arena};
            memory = lay_out<T>(arena, network, run, rows);
            memory.bound = largest_size<T>(network.parameters, static_cast<const T*>(run.parameters));
            laid_out = rows;
        }
        const double loss = loss_and_gradients<T>(network, run, memory, order, rows, total);
        if (!__builtin_isfinite(loss)) run.failure = Failure::loss;
        if (run.failure != Failure::none) return 0;
        const bool shared =
            memory.way.groups > 1 || memory.way.together || network.parameters >= WORTH_SLICES;
        double norm = 0;
        if (!memory.factors || !update_by_factors<T>(network, run, memory, run.rates[run.done], &norm))
            norm = update<T>(run, memory, shared ? run.team : nullptr, run.rates[run.done]);
        if (run.failure != Failure::none) return 0;
        follow_up<T>(network, run, memory);
        run.step += 1;
        run.losses[run.done] = loss;
        run.norms[run.done] = norm;
    }
    return 0;
}

// Without penalties.
template <class T>
size_t gradient(const Network& network, Run& run, void* result, double* value) {
    Arena arena = {run.arena};
    Memory<T> memory = lay_out<T>(arena, network, run, run.order_size);
    if (!run.arena) return arena.used;
    double total = static_cast<double>(run.order_size);
    if (const T* weight = static_cast<const T*>(run.weight)) {
        total = 0;
        for (size_t i = 0; i < run.order_size; ++i) total += static_cast<double>(weight[run.order[i]]);
    }
    *value = loss_and_gradients<T>(network, run, memory, run.order, run.order_size, total);
    for (size_t i = 0; i < memory.slice_count; ++i) reduce<T>(run, memory, memory.slices[i]);
    memcpy(result, memory.gradients, network.parameters * sizeof(T));
    return 0;
}

// Activations of `rows` rows of run.x and, where `losses` is not null, their losses.
template <class T>
size_t predict(const Network& network, const Run& run, size_t rows, void* activations, void* losses) {
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
    each(team, (rows + at_once - 1) / at_once, [&](size_t piece, size_t worker) {
        const size_t first = piece * at_once, count = smaller(at_once, rows - first);
        const Workers<T> alone = {nullptr, panels + worker * Workers<T>::panel_size};
        const Pass<T> pass = pass_of<T>(network, run, false, alone);
        Block<T>& block = blocks[worker];
        const T* a = forward<T>(pass, first, count, x + first * network.inputs, block);
        T* to = static_cast<T*>(activations) + first * network.outputs;
        memcpy(to, a, count * network.outputs * sizeof(T));
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
