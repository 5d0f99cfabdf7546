// The engine of one instruction set: predictions, one gradient, many training steps.
#include "update.hpp"

namespace ganglion::GANGLION_ISA {

inline bool consecutive(const int64_t* order, size_t rows) {
    for (size_t i = 1; i < rows; ++i)
        if (order[i] != order[0] + static_cast<int64_t>(i)) return false;
    return true;
}

// Copies rows into contiguous memory.
template <class T>
void gather(Team* team, const T* from, size_t width, const int64_t* order, size_t rows, T* to) {
    const size_t pieces = rows * width < 16384 ? 1 : 8;
    each(team, pieces, [&](size_t piece, size_t) {
        const size_t end = rows * (piece + 1) / pieces;
        for (size_t i = rows * piece / pieces; i < end; ++i) {
            if (i + AHEAD < end) fetch(from + static_cast<size_t>(order[i + AHEAD]) * width, width);
            const T* row = from + static_cast<size_t>(order[i]) * width;
            sweep<T>(width,
                     [&](size_t j, auto part) { store(to + i * width + j, load(row + j, part), part); });
        }
    });
}

// Sets the block's values to the rows of all inputs: in place from row `start` on or, if there is an `order`,
// gathered.
template <class T>
void read_inputs(Team* team, const Network& network, const Column* columns, const int64_t* order,
                 size_t start, size_t rows, Block<T>& block) {
    for (size_t i = 0; i < network.input_count; ++i) {
        const Input& input = network.inputs[i];
        const Column& column = columns[i];
        void* room = block.gathered[i];
        if (input.holds == Holds::bags) {
            *static_cast<Bags<T>*>(room) = {static_cast<const int64_t*>(column.at), column.offsets, order,
                                            static_cast<const T*>(column.weights), start};
        } else if (input.holds == Holds::integers) {
            const int64_t* from = static_cast<const int64_t*>(column.at);
            int64_t* to = static_cast<int64_t*>(room);
            for (size_t r = 0; order && r < rows; ++r)
                memcpy(to + r * input.width, from + static_cast<size_t>(order[r]) * input.width,
                       input.width * sizeof(int64_t));
            if (!order) room = const_cast<int64_t*>(from + start * input.width);
        } else {
            const T* from = static_cast<const T*>(column.at);
            if (order) gather<T>(team, from, input.width, order, rows, static_cast<T*>(room));
            else room = const_cast<T*>(from + start * input.width);
        }
        block.values[i] = room;
    }
}

// The total weight of some rows; without sample weights each row has weight 1.
template <class T>
double total_weight(const Run& run, const int64_t* order, size_t rows) {
    const T* weight = static_cast<const T*>(run.sample_weight);
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
            workers,
            nullptr};
}

// Returns the mean loss of a batch and leaves the gradients of the groups in space.gradients.
template <class T>
double loss_and_gradients(const Network& network, const Run& run, Workspace<T>& space, const int64_t* order,
                          size_t rows, double total_weight) {
    const Split way = space.way;
    const size_t columns = network.columns;
    const T *y = static_cast<const T*>(run.y), *weight = static_cast<const T*>(run.sample_weight);
    const size_t values_each = values_of_row(run.loss, network.outputs, columns);
    const T each_fraction = weight ? T(1) : T(1) / T(rows), over_total = T(1 / total_weight);
    each(way.together ? nullptr : run.team, way.groups, [&](size_t group, size_t worker) {
        Block<T>& block = space.blocks[worker];
        const Workers<T> workers = {way.together ? run.team : nullptr, space.workers.panel(worker)};
        Pass<T> pass = pass_of<T>(network, run, true, workers);
        pass.kept = space.kept;
        T* gradient = space.gradients + group * space.stride;
        const size_t begin = rows * group / way.groups, end = rows * (group + 1) / way.groups;
        double loss = 0;
        for (size_t first = begin; first < end; first += way.rows_at_once) {
            const size_t count = smaller(way.rows_at_once, end - first);
            const size_t start = static_cast<size_t>(order[first]);
            const int64_t* own = order + first;
            if (!way.together && consecutive(own, count)) own = nullptr;
            read_inputs<T>(workers.team, network, run.x, own, start, count, block);
            const T* targets = y + start * network.outputs;
            if (own) gather<T>(nullptr, y, network.outputs, own, count, block.y), targets = block.y;
            const T* a = forward<T>(pass, first, count, block);
            T* grad = block.grads[0];
            losses_and_gradients<T>(run.loss, count, network.outputs, columns, a, targets, each_fraction,
                                    block.losses, grad);
            if (weight) {
                row_means<T>(count, values_each, block.losses, block.losses);
                for (size_t i = 0; i < count; ++i) {
                    const T fraction = weight[order[first + i]] * over_total;
                    block.losses[i] *= fraction;
                    for (size_t j = 0; j < network.outputs; ++j) grad[i * network.outputs + j] *= fraction;
                }
            }
            loss += total<T>(weight ? count : count * values_each, block.losses);
            backward<T>(pass, first, count, block, gradient, first != begin, space.factors);
        }
        space.group_losses[group] = loss;
    });
    double loss = 0;
    for (size_t group = 0; group < way.groups; ++group) loss += space.group_losses[group];
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
    Workspace<T> space = {};
    size_t laid_out = 0;
    for (run.done = 0; run.done < run.steps; ++run.done) {
        const int64_t* order = run.order + run.done * batch;
        const size_t rows = smaller(batch, run.order_size - run.done * batch);
        const double weight = total_weight<T>(run, order, rows);
        if (weight == 0) {  // a batch of weight 0 has no mean loss: skip the update
            run.step += 1;
            run.losses[run.done] = run.penalties[run.done] = run.norms[run.done] = 0;
            continue;
        }
        if (rows != laid_out) {
            Arena arena = {run.arena};
            space = lay_out<T>(arena, network, run, rows);
            // Tables are too large to look at, and the updates of other optimizers are looked at one by one.
            space.bound = space.sparse || !is_bounded(run.optimizer)
                              ? __builtin_inf()
                              : largest_size<T>(network.parameters, static_cast<const T*>(run.parameters));
            laid_out = rows;
        }
        const double loss = loss_and_gradients<T>(network, run, space, order, rows, weight);
        if (!__builtin_isfinite(loss)) run.failure = Failure::loss;
        if (run.failure != Failure::none) return 0;
        collect<T>(network, run, space, order, rows);
        const bool shared = space.way.groups > 1 || space.way.together || network.gradients >= WORTH_SLICES;
        space.per_weight = run.regularization.per_row ? 1 / weight : 1;
        double norm = 0;
        if (!space.factors || !update_by_factors<T>(network, run, space, run.rates[run.done], &norm))
            norm = update<T>(run, space, shared ? run.team : nullptr, run.rates[run.done]);
        if (run.failure != Failure::none) return 0;
        follow_up<T>(pass_of<T>(network, run, true, space.workers), run, space);
        run.step += 1;
        run.losses[run.done] = loss;
        run.penalties[run.done] = space.factors ? 0 : penalty<T>(space);
        run.norms[run.done] = norm;
    }
    return 0;
}

// The mean loss of the rows in `order`, the penalty, and the gradient of their sum.
template <class T>
size_t gradient(const Network& network, Run& run, void* result, double* loss, double* sum_of_penalties) {
    Arena arena = {run.arena};
    Workspace<T> space = lay_out<T>(arena, network, run, run.order_size);
    if (!run.arena) return arena.used;
    const double weight = total_weight<T>(run, run.order, run.order_size);
    space.per_weight = run.regularization.per_row ? 1 / weight : 1;
    *loss = loss_and_gradients<T>(network, run, space, run.order, run.order_size, weight);
    collect<T>(network, run, space, run.order, run.order_size);
    for (size_t i = 0; i < space.slice_count; ++i) space.sums[i] = reduce<T>(run, space, space.slices[i]);
    *sum_of_penalties = penalty<T>(space);
    T* whole = static_cast<T*>(result);
    memset(whole, 0, network.parameters * sizeof(T));  // for table rows that were not read
    for (size_t i = 0; i < space.slice_count; ++i)
        each_piece(space.slices[i], static_cast<const T*>(run.parameters),
                   [&](size_t start, const T* gradient, size_t count) {
                       memcpy(whole + start, gradient, count * sizeof(T));
                   });
    return 0;
}

// Writes the activations of `rows` rows of run.x and, if `losses` is not null, their losses. `finite` is set
// to whether all input numbers are finite.
template <class T>
size_t predict(const Network& network, const Run& run, size_t rows, void* activations, void* losses,
               bool* finite) {
    const size_t at_once = larger(1, smaller(rows, network.facts.rows_at_once));
    const bool shared = static_cast<double>(rows) * network.facts.work >= WORTH_A_THREAD && rows > at_once;
    Team* team = shared ? run.team : nullptr;
    const size_t threads = shared ? run.team->size() : 1, columns = network.columns;
    Arena arena = {run.arena};
    T* panels = arena.take<T>(threads * Workers<T>::panel_size);
    Block<T>* blocks = arena.take<Block<T>>(threads);
    for (size_t i = 0; i < threads; ++i) {
        const Block<T> block = make_block<T>(arena, network, at_once);
        if (run.arena) blocks[i] = block;
    }
    if (!run.arena) return arena.used;
    const T* y = static_cast<const T*>(run.y);
    *finite = true;
    each(team, (rows + at_once - 1) / at_once, [&](size_t piece, size_t worker) {
        const size_t first = piece * at_once, count = smaller(at_once, rows - first);
        const Workers<T> alone = {nullptr, panels + worker * Workers<T>::panel_size};
        const Pass<T> pass = pass_of<T>(network, run, false, alone);
        Block<T>& block = blocks[worker];
        read_inputs<T>(nullptr, network, run.x, nullptr, first, count, block);
        const T* a = forward<T>(pass, first, count, block);
        T* to = static_cast<T*>(activations) + first * network.outputs;
        memcpy(to, a, count * network.outputs * sizeof(T));
        for (size_t i = 0; i < network.input_count; ++i) {
            const Input& input = network.inputs[i];
            if (input.holds == Holds::numbers &&
                !all_finite<T>(count * input.width, static_cast<const T*>(block.values[i])))
                __atomic_store_n(finite, false, __ATOMIC_RELAXED);
        }
        if (!losses) return;
        losses_and_gradients<T>(run.loss, count, network.outputs, columns, to, y + first * network.outputs,
                                T(1), block.losses, block.grads[0]);
        row_means<T>(count, values_of_row(run.loss, network.outputs, columns), block.losses,
                     static_cast<T*>(losses) + first);
        if (!run.loss.from_z) return;
        const Activation f = network.steps[network.count - 1].activation;
        activate<T>(f, {count * network.outputs / columns, columns, columns}, to, to);
    });
    return 0;
}

template <class T>
void function(int which, size_t count, const void* x, void* result) {
    constexpr int kinds[] = {place_in<Exp<T>>(Activations<T>{}), place_in<Tanh<T>>(Activations<T>{}),
                             place_in<Sigmoid<T>>(Activations<T>{})};
    activate<T>({kinds[which], 0}, {1, count, 0}, static_cast<const T*>(x), static_cast<T*>(result));
}

// The tables of kinds for Python.
template <class... Each>
constexpr Kind LAYER_KINDS_OF[] = {
    {Each::name, Each::settings, Each::in_place, Each::takes_derivative, Each::row_sparse, false}...};
template <class... Each>
constexpr Kind ACTIVATION_KINDS_OF[] = {{Each::name, Each::settings, false, false, false, Each::row_wise}...};
template <class... Each>
constexpr Kind PART_KINDS_OF[] = {{Each::name, Each::settings, false, false, false, false}...};

template <class... Each>
constexpr KindTable layer_table(List<Each...>) {
    return {LAYER_KINDS_OF<Each...>, sizeof...(Each)};
}
template <class... Each>
constexpr KindTable activation_table(List<Each...>) {
    return {ACTIVATION_KINDS_OF<Each...>, sizeof...(Each)};
}
template <class... Each>
constexpr KindTable part_table(List<Each...>) {
    return {PART_KINDS_OF<Each...>, sizeof...(Each)};
}

#define GANGLION_TEXT_OF(name) #name
#define GANGLION_TEXT(name) GANGLION_TEXT_OF(name)

extern const Engine engine;
const Engine engine = {
    GANGLION_TEXT(GANGLION_ISA),
    {facts<float>, predict<float>, gradient<float>, train<float>, function<float>},
    {facts<double>, predict<double>, gradient<double>, train<double>, function<double>},
    layer_table(Layers{}),
    activation_table(Activations<float>{}),
    part_table(Losses<float>{}),
    part_table(Optimizers{}),
};

}  // namespace ganglion::GANGLION_ISA
