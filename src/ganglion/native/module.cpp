// What Python sees: a program is a network in plain data, with the memory it runs in.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "description.hpp"
#include "threads.hpp"

namespace nb = nanobind;

namespace ganglion {

#if defined(__x86_64__)
namespace x86_64_v2 {
extern const Engine engine;
}
namespace x86_64_v3 {
extern const Engine engine;
}
namespace x86_64_v4 {
extern const Engine engine;
}
#else
namespace baseline {
extern const Engine engine;
}
#endif

namespace {

// The engines that this processor can run, the fastest first.
std::vector<const Engine*> engines() {
    std::vector<const Engine*> able;
#if defined(__x86_64__)
    __builtin_cpu_init();
    const bool v2 = __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt");
    const bool v3 = v2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
    const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                    __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                    __builtin_cpu_supports("avx512vl");
    if (v4) able.push_back(&x86_64_v4::engine);
    if (v3) able.push_back(&x86_64_v3::engine);
    if (v2) able.push_back(&x86_64_v2::engine);
#else
    able.push_back(&baseline::engine);
#endif
    return able;
}

const Engine* chosen = nullptr;

using Any = nb::ndarray<nb::ro, nb::c_contig, nb::device::cpu>;
using Writable = nb::ndarray<nb::c_contig, nb::device::cpu>;
using Orders = nb::ndarray<const int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Numbers = nb::ndarray<double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Rates = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

using LayerRow = std::tuple<int, size_t, size_t, size_t, size_t, size_t, size_t, int, double, double, double>;
using SegmentRow = std::tuple<size_t, size_t, size_t, bool>;
using LossRow = std::tuple<int, double, double, double, bool>;
using OptimizerRow = std::tuple<int, bool, double, double, double, double, double, double>;
using RegularizationRow = std::tuple<double, double, double, bool>;

Loss loss_of(const LossRow& row) {
    const auto [kind, setting, factor, clip, from_z] = row;
    return {static_cast<LossKind>(kind), setting, factor, clip, from_z};
}

Regularization regularization_of(const RegularizationRow& row) {
    const auto [l1, l2, max_norm, per_row] = row;
    return {l1, l2, max_norm, per_row};
}

void require(bool holds, const char* rule) {
    if (!holds) throw nb::value_error(rule);
}

// Memory aligned to a line of the cache, kept from call to call.
class Room {
public:
    char* of(size_t bytes) {
        if (bytes > size_) {
            memory_.reset();
            size_ = 0;
            memory_.reset(static_cast<char*>(std::aligned_alloc(64, (bytes + 63) / 64 * 64)));
            if (!memory_) throw std::bad_alloc();
            size_ = bytes;
        }
        return memory_.get();
    }

private:
    struct Free {
        void operator()(char* memory) const { std::free(memory); }
    };
    std::unique_ptr<char, Free> memory_;
    size_t size_ = 0;
};

class Program {
public:
    Program(bool is_double, size_t inputs, size_t outputs, size_t features, size_t parameters, size_t state,
            const std::vector<LayerRow>& layers, const std::vector<SegmentRow>& segments)
        : is_double_(is_double) {
        for (const auto& [kind, place, from, to, features, own, own_state, activation, setting, rate,
                          epsilon] : layers)
            layers_.push_back({static_cast<LayerKind>(kind),
                               place,
                               from,
                               to,
                               features,
                               own,
                               own_state,
                               {static_cast<ActivationKind>(activation), setting},
                               rate,
                               epsilon});
        for (const auto& [start, stop, columns, penalized] : segments)
            segments_.push_back({start, stop, columns, penalized});
        network_ = {layers_.data(),   layers_.size(), segments_.data(),
                    segments_.size(), inputs,         outputs,
                    features,         parameters,     state};
    }

    bool predict(const Any& parameters, const Any& state, const Any& x, const Writable& a) {
        Run run = described(parameters, state);
        run.x = rows(x, network_.inputs, x.shape(0));
        return run_prediction(run, x.shape(0), rows(a, network_.outputs, x.shape(0)), nullptr);
    }

    void evaluate(const Any& parameters, const Any& state, const Any& x, const Any& y, const LossRow& loss,
                  const Writable& a, const Writable& losses) {
        Run run = described(parameters, state);
        run.x = rows(x, network_.inputs, x.shape(0));
        run.y = rows(y, network_.outputs, x.shape(0));
        run.loss = loss_of(loss);
        run_prediction(run, x.shape(0), rows(a, network_.outputs, x.shape(0)), rows(losses, 1, x.shape(0)));
    }

    std::tuple<double, double> gradient(const Any& parameters, const Any& state, const Any& x, const Any& y,
                                        const std::optional<Any>& weight, const LossRow& loss,
                                        const RegularizationRow& regularization, const Orders& order,
                                        uint64_t seed, uint64_t step, const Writable& gradient) {
        Run run = described(parameters, state);
        batches(run, x, y, weight, order);
        run.loss = loss_of(loss);
        run.regularization = regularization_of(regularization);
        run.seed = seed;
        run.step = step;
        void* result = rows(gradient, 1, network_.parameters);
        double mean = 0, penalty = 0;
        with_memory(run, [&] { return functions().gradient(network_, run, result, &mean, &penalty); });
        return {mean, penalty};
    }

    std::tuple<size_t, int, uint64_t, uint64_t> train(
        const Writable& parameters, const Writable& state, const std::optional<Writable>& mean,
        const std::vector<Writable>& slots, const Any& x, const Any& y, const std::optional<Any>& weight,
        const LossRow& loss, const OptimizerRow& optimizer, const RegularizationRow& regularization,
        const Orders& order, size_t batch_size, const Rates& rates, const Numbers& losses,
        const Numbers& penalties, const Numbers& norms, uint64_t seed, uint64_t step, uint64_t update) {
        Run run = described(parameters, state);
        batches(run, x, y, weight, order);
        require(batch_size > 0 && (order.size() + batch_size - 1) / batch_size == rates.size(),
                "one rate for each batch");
        require(
            losses.size() == rates.size() && penalties.size() == rates.size() && norms.size() == rates.size(),
            "room for each batch's loss, penalty and norm");
        require(slots.size() <= 2, "at most two slots");
        for (size_t i = 0; i < slots.size(); ++i) run.slots[i] = rows(slots[i], 1, network_.parameters);
        if (mean) run.mean = rows(*mean, 1, network_.parameters);
        const auto [kind, variant, first, second, epsilon, decay, clip, average] = optimizer;
        run.optimizer = {
            static_cast<OptimizerKind>(kind), variant, first, second, epsilon, decay, clip, average};
        run.regularization = regularization_of(regularization);
        run.loss = loss_of(loss);
        run.batch_size = batch_size;
        run.steps = rates.size();
        run.rates = rates.data();
        run.losses = losses.data();
        run.penalties = penalties.data();
        run.norms = norms.data();
        run.seed = seed;
        run.step = step;
        run.update = update;
        if (run.steps)
            with_memory(run, [&] {
                const Flush flush;
                return functions().train(network_, run);
            });
        return {run.done, static_cast<int>(run.failure), run.step, run.update};
    }

private:
    const Functions& functions() const { return is_double_ ? chosen->of_double : chosen->of_float; }

    // The memory of an array of `count` rows of `width` numbers of the network's type.
    template <class Array>
    auto rows(const Array& array, size_t width, size_t count) const
        -> decltype(const_cast<Array&>(array).data()) {
        require(array.dtype() == (is_double_ ? nb::dtype<double>() : nb::dtype<float>()),
                "arrays of the network's type");
        require(array.size() == width * count, "arrays of the network's sizes");
        return const_cast<Array&>(array).data();
    }

    template <class Array>
    Run described(const Array& parameters, const Array& state) const {
        Run run = {};
        run.parameters =
            const_cast<void*>(static_cast<const void*>(rows(parameters, 1, network_.parameters)));
        run.state = const_cast<void*>(static_cast<const void*>(rows(state, 1, network_.state)));
        return run;
    }

    void batches(Run& run, const Any& x, const Any& y, const std::optional<Any>& weight,
                 const Orders& order) const {
        const size_t count = x.shape(0);
        run.x = rows(x, network_.inputs, count);
        run.y = rows(y, network_.outputs, count);
        if (weight) run.weight = rows(*weight, 1, count);
        run.order = order.data();
        run.order_size = order.size();
        uint64_t largest = 0;  // a negative number is a very large one
        for (size_t i = 0; i < run.order_size; ++i) {
            const uint64_t row = static_cast<uint64_t>(run.order[i]);
            largest = row > largest ? row : largest;
        }
        require(largest < count || run.order_size == 0, "an order of rows that there are");
    }

    bool run_prediction(Run& run, size_t count, void* a, void* losses) {
        bool finite = true;
        if (count)
            with_memory(run, [&] { return functions().predict(network_, run, count, a, losses, &finite); });
        return finite;
    }

    // Runs `work` twice: first to count the memory that it needs, then in it, without holding Python up.
    template <class Work>
    void with_memory(Run& run, Work work) {
        const nb::gil_scoped_release released;
        const Loan loan;
        run.team = loan.team();
        run.arena = nullptr;
        const size_t bytes = work();
        if (busy_.exchange(true)) {  // another thread runs the same network: this call has memory of its own
            Room room;
            run.arena = room.of(bytes);
            work();
            return;
        }
        struct Leave {
            std::atomic<bool>& busy;
            ~Leave() { busy.store(false); }
        } leave{busy_};
        run.arena = room_.of(bytes);
        work();
    }

    bool is_double_;
    std::vector<Layer> layers_;
    std::vector<Segment> segments_;
    Network network_;
    Room room_;
    std::atomic<bool> busy_{false};
};

void function(int which, const Any& x, const Writable& result) {
    require(which >= 0 && which < 3 && x.size() == result.size() && x.dtype() == result.dtype(),
            "0, 1 or 2 and two arrays alike");
    const Functions& functions = x.dtype() == nb::dtype<double>() ? chosen->of_double : chosen->of_float;
    require(x.dtype() == nb::dtype<double>() || x.dtype() == nb::dtype<float>(), "float32 or float64");
    functions.function(which, x.size(), x.data(), result.data());
}

}  // namespace
}  // namespace ganglion

NB_MODULE(_native, module) {
    using namespace ganglion;
    nb::set_leak_warnings(false);  // networks that live until the process ends are no leak
    module.doc() = "The native engine: forward, backward and update, compiled for each instruction set.";
    module.def("instruction_sets", [] {
        std::vector<std::string> names;
        for (const Engine* engine : engines()) names.emplace_back(engine->name);
        return names;
    });
    module.def("use", [](const std::string& name) {
        for (const Engine* engine : engines())
            if (name == engine->name) {
                chosen = engine;
                return;
            }
        throw nb::value_error("an instruction set of this processor");
    });
    module.def("limit_threads", &limit_threads);
    module.def("set_threads", &set_threads);
    module.def("get_threads", &get_threads);
    module.def("function", &function, nb::arg("which"), nb::arg("x"), nb::arg("result"));
    nb::class_<Program>(module, "Program")
        .def(nb::init<bool, size_t, size_t, size_t, size_t, size_t, const std::vector<LayerRow>&,
                      const std::vector<SegmentRow>&>())
        .def("predict", &Program::predict)
        .def("evaluate", &Program::evaluate)
        .def("gradient", &Program::gradient, nb::arg("parameters"), nb::arg("state"), nb::arg("x"),
             nb::arg("y"), nb::arg("weight").none(), nb::arg("loss"), nb::arg("regularization"),
             nb::arg("order"), nb::arg("seed"), nb::arg("step"), nb::arg("gradient"))
        .def("train", &Program::train, nb::arg("parameters"), nb::arg("state"), nb::arg("mean").none(),
             nb::arg("slots"), nb::arg("x"), nb::arg("y"), nb::arg("weight").none(), nb::arg("loss"),
             nb::arg("optimizer"), nb::arg("regularization"), nb::arg("order"), nb::arg("batch_size"),
             nb::arg("rates"), nb::arg("losses"), nb::arg("penalties"), nb::arg("norms"), nb::arg("seed"),
             nb::arg("step"), nb::arg("update"));
    const auto able = engines();
    if (!able.empty()) chosen = able.front();
}
