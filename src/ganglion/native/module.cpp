// The Python module. A program is a network as plain data, with the memory that it runs in.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#ifdef __linux__
#include <sys/mman.h>
#endif

#include <atomic>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "reading.hpp"
#include "text.hpp"
#include "threads.hpp"

namespace nb = nanobind;

namespace ganglion {

const Engine* chosen = nullptr;

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

// The engines that this processor can run, fastest first.
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

using Any = nb::ndarray<nb::ro, nb::c_contig, nb::device::cpu>;
using Writable = nb::ndarray<nb::c_contig, nb::device::cpu>;
using Orders = nb::ndarray<const int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Numbers = nb::ndarray<double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Rates = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

void require(bool holds, const char* rule) {
    if (!holds) throw nb::value_error(rule);
}

// Memory aligned to cache lines, reused from call to call.
class Room {
public:
    char* of(size_t bytes) {
        if (bytes > size_) {
            memory_.reset();
            size_ = 0;
            memory_.reset(static_cast<char*>(::operator new(bytes, LINE)));
            size_ = bytes;
            ask_for_large_pages();
        }
        return memory_.get();
    }

private:
    static constexpr std::align_val_t LINE{64};
    static constexpr size_t LARGE_PAGE = 2 << 20;

    // The first use of each page takes time, so that a few large ones are better.
    void ask_for_large_pages() {
#ifdef MADV_HUGEPAGE
        char* memory = memory_.get();
        const size_t skipped = -reinterpret_cast<uintptr_t>(memory) % LARGE_PAGE;
        if (size_ < skipped + LARGE_PAGE) return;
        const size_t whole = (size_ - skipped) / LARGE_PAGE * LARGE_PAGE;
        madvise(memory + skipped, whole, MADV_HUGEPAGE);  // it is no error if there are none
#endif
    }
    struct Free {
        void operator()(char* memory) const { ::operator delete(memory, LINE); }
    };
    std::unique_ptr<char, Free> memory_;
    size_t size_ = 0;
};

// The arrays of one input: one array of rows, or the indices, offsets and optional weights of bags.
using Arrays = std::vector<Any>;

class Program {
public:
    Program(bool is_double, const nb::list& inputs, const nb::list& steps, const nb::list& segments,
            size_t state)
        : is_double_(is_double), description_(inputs, steps, segments, state) {
        description_.set_facts(functions().facts(network()));
    }

    bool predict(const Any& parameters, const Any& state, const std::vector<Arrays>& x, const Writable& a) {
        const size_t count = a.shape(0);
        Run run = described(parameters, state);
        std::vector<Column> columns = columns_of(x, count);
        run.x = columns.data();
        return run_prediction(run, count, numbers(a, network().outputs, count), nullptr);
    }

    // The same for one array of numbers.
    bool predict_numbers(const Any& parameters, const Any& state, const Any& x, const Writable& a) {
        const size_t count = a.shape(0);
        require(network().input_count == 1 && network().inputs[0].holds == Holds::numbers,
                "the input must be one array of numbers");
        Run run = described(parameters, state);
        const Column column = {numbers(x, network().inputs[0].width, count), nullptr, nullptr};
        run.x = &column;
        return run_prediction(run, count, numbers(a, network().outputs, count), nullptr);
    }

    void evaluate(const Any& parameters, const Any& state, const std::vector<Arrays>& x, const Any& y,
                  const nb::dict& loss, const Writable& a, const Writable& losses) {
        const size_t count = a.shape(0);
        Run run = described(parameters, state);
        std::vector<Column> columns = columns_of(x, count);
        run.x = columns.data();
        run.y = numbers(y, network().outputs, count);
        std::vector<LossSection> sections;
        run.loss = read_loss(loss, network().outputs, sections);
        run_prediction(run, count, numbers(a, network().outputs, count), numbers(losses, 1, count));
    }

    const Network& network() const { return description_.network(); }
    const Functions& functions() const { return is_double_ ? chosen->of_double : chosen->of_float; }

    // The data of an array of `count` rows of `width` numbers of the network's type.
    template <class Array>
    auto numbers(const Array& array, size_t width, size_t count) const
        -> decltype(const_cast<Array&>(array).data()) {
        require(array.dtype() == (is_double_ ? nb::dtype<double>() : nb::dtype<float>()),
                "arrays must have the network's type");
        require(array.size() == width * count, "arrays must have the network's sizes");
        return const_cast<Array&>(array).data();
    }

    template <class Array>
    Run described(const Array& parameters, const Array& state) const {
        Run run = {};
        run.parameters =
            const_cast<void*>(static_cast<const void*>(numbers(parameters, 1, network().parameters)));
        run.state = const_cast<void*>(static_cast<const void*>(numbers(state, 1, network().state)));
        return run;
    }

    // The rows of all inputs, checked so that the engine reads only within the arrays.
    std::vector<Column> columns_of(const std::vector<Arrays>& x, size_t count) const {
        const Network& network = this->network();
        require(x.size() == network.input_count, "there must be arrays for each input");
        std::vector<Column> columns;
        for (size_t i = 0; i < x.size(); ++i) {
            const Input& input = network.inputs[i];
            const Arrays& arrays = x[i];
            require(
                arrays.size() == 1 || (input.holds == Holds::bags && arrays.size() <= 3 && arrays.size() > 1),
                "an input must be one array, or the two or three of bags");
            if (input.holds == Holds::numbers) {
                columns.push_back({numbers(arrays[0], input.width, count), nullptr, nullptr});
                continue;
            }
            const int64_t* indices = whole_numbers(arrays[0]);
            if (input.holds == Holds::integers) {
                require(arrays[0].size() == count * input.width, "arrays must have the network's sizes");
                columns.push_back({indices, nullptr, nullptr});
            } else {
                const int64_t* offsets = whole_numbers(arrays[1]);
                bool rises = arrays[1].size() == count + 1 && offsets[0] == 0 &&
                             offsets[count] == static_cast<int64_t>(arrays[0].size());
                for (size_t row = 0; rises && row < count; ++row) rises = offsets[row] <= offsets[row + 1];
                require(rises, "offsets must rise from 0 to the number of indices");
                const void* weights = arrays.size() == 3 ? numbers(arrays[2], 1, arrays[0].size()) : nullptr;
                columns.push_back({indices, offsets, weights});
            }
            const int64_t most = static_cast<int64_t>(input.categories);
            for (size_t n = 0; n < arrays[0].size(); ++n)
                require(indices[n] >= 0 && indices[n] < most,
                        "whole numbers must be below the number of categories");
        }
        return columns;
    }

    // Runs `work` twice: first to count the memory that it needs, then in it. Releases the GIL.
    template <class Work>
    void with_memory(Run& run, Work work) {
        const nb::gil_scoped_release released;
        const Loan loan;
        run.team = loan.team();
        run.arena = nullptr;
        const size_t bytes = work();
        if (busy_.exchange(true)) {  // another thread runs the same network: use separate memory
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

private:
    static const int64_t* whole_numbers(const Any& array) {
        require(array.dtype() == nb::dtype<int64_t>(), "whole numbers must be int64");
        return static_cast<const int64_t*>(array.data());
    }

    bool run_prediction(Run& run, size_t count, void* a, void* losses) {
        bool finite = true;
        if (count)
            with_memory(run, [&] { return functions().predict(network(), run, count, a, losses, &finite); });
        return finite;
    }

    bool is_double_;
    Description description_;
    Room room_;
    std::atomic<bool> busy_{false};
};

// A training run: the arrays that it reads and changes, checked once.
class Session {
public:
    Session(Program& program, const Writable& parameters, const Writable& state,
            const std::optional<Writable>& mean, const std::vector<Writable>& slots, const nb::dict& loss,
            const nb::dict& regularization, const std::optional<nb::dict>& optimizer)
        : program_(program), parameters_(parameters), state_(state), mean_(mean), slots_(slots) {
        const size_t size = program.network().parameters;
        run_ = program.described(parameters, state);
        require(slots.size() <= 2, "an optimizer keeps at most two slots");
        for (size_t i = 0; i < slots.size(); ++i) run_.slots[i] = program.numbers(slots[i], 1, size);
        if (mean) run_.mean = program.numbers(*mean, 1, size);
        run_.loss = read_loss(loss, program.network().outputs, sections_);
        run_.regularization = read_regularization(regularization);
        if (optimizer) run_.optimizer = read_optimizer(*optimizer);
    }

    // Sets the training rows.
    void rows(const std::vector<Arrays>& x, const Any& y, const std::optional<Any>& weight) {
        const size_t count = y.shape(0);
        columns_ = program_.columns_of(x, count);
        run_.y = program_.numbers(y, program_.network().outputs, count);
        run_.sample_weight = weight ? program_.numbers(*weight, 1, count) : nullptr;
        x_ = x, y_ = y, weight_ = weight;
        count_ = count;
    }

    std::tuple<double, double> gradient(const Orders& order, uint64_t seed, uint64_t step,
                                        const Writable& gradient) {
        Run run = batches(order, seed, step);
        void* result = program_.numbers(gradient, 1, program_.network().parameters);
        double mean = 0, penalty = 0;
        program_.with_memory(run, [&] {
            return program_.functions().gradient(program_.network(), run, result, &mean, &penalty);
        });
        return {mean, penalty};
    }

    std::tuple<size_t, int, uint64_t, uint64_t> steps(const Orders& order, size_t batch_size,
                                                      const Rates& rates, const Numbers& losses,
                                                      const Numbers& penalties, const Numbers& norms,
                                                      uint64_t seed, uint64_t step, uint64_t update) {
        Run run = batches(order, seed, step);
        require(batch_size > 0 && (order.size() + batch_size - 1) / batch_size == rates.size(),
                "there must be one rate for each batch");
        require(
            losses.size() == rates.size() && penalties.size() == rates.size() && norms.size() == rates.size(),
            "there must be room for each batch's loss, penalty and norm");
        run.batch_size = batch_size;
        run.steps = rates.size();
        run.rates = rates.data();
        run.losses = losses.data();
        run.penalties = penalties.data();
        run.norms = norms.data();
        run.update = update;
        if (run.steps)
            program_.with_memory(run, [&] {
                const Flush flush;
                return program_.functions().train(program_.network(), run);
            });
        return {run.done, static_cast<int>(run.failure), run.step, run.update};
    }

private:
    Run batches(const Orders& order, uint64_t seed, uint64_t step) const {
        Run run = run_;
        run.x = columns_.data();
        run.order = order.data();
        run.order_size = order.size();
        uint64_t largest = 0;  // a negative index becomes a very large one
        for (size_t i = 0; i < run.order_size; ++i) {
            const uint64_t row = static_cast<uint64_t>(run.order[i]);
            largest = row > largest ? row : largest;
        }
        if (largest >= count_ && run.order_size)
            throw nb::value_error(("row index " + std::to_string(static_cast<int64_t>(largest)) +
                                   " is out of range for " + std::to_string(count_) + " rows")
                                      .c_str());
        run.seed = seed;
        run.step = step;
        return run;
    }

    Program& program_;
    Writable parameters_, state_;
    std::optional<Writable> mean_;
    std::vector<Writable> slots_;
    std::vector<Arrays> x_;
    std::optional<Any> y_, weight_;
    std::vector<Column> columns_;
    size_t count_ = 0;
    Run run_ = {};
    std::vector<LossSection> sections_;
};

nb::dict kinds_of(const KindTable& table) {
    nb::dict found;
    for (int i = 0; i < table.size; ++i) {
        nb::list settings;
        for (const char* const* name = table.kinds[i].settings.at; *name; ++name)
            settings.append(nb::str(*name));
        found[table.kinds[i].name] = settings;
    }
    return found;
}

void function(int which, const Any& x, const Writable& result) {
    require(which >= 0 && which < 3 && x.size() == result.size() && x.dtype() == result.dtype(),
            "0, 1 or 2 and two arrays alike");
    const Functions& functions = x.dtype() == nb::dtype<double>() ? chosen->of_double : chosen->of_float;
    require(x.dtype() == nb::dtype<double>() || x.dtype() == nb::dtype<float>(), "float32 or float64");
    functions.function(which, x.size(), x.data(), result.data());
}

// Gives numbers to NumPy without a copy.
template <class T>
nb::ndarray<nb::numpy, T, nb::ndim<1>> array_of(Growing<T> values) {
    const size_t size = values.size();
    T* const data = values.release();
    return {data, {size}, nb::capsule(data, [](void* at) noexcept { std::free(at); })};
}

nb::tuple grams_of(const nb::bytes& texts, const nb::ndarray<const int64_t, nb::ndim<1>, nb::c_contig>& ends,
                   const nb::ndarray<const uint8_t, nb::ndim<1>, nb::c_contig>& letters, bool characters,
                   size_t least, size_t most, unsigned bits, bool in_order) {
    int64_t before = 0;
    for (size_t i = 0; i < ends.size(); before = ends.data()[i++])
        require(ends.data()[i] >= before, "ends that ascend");
    require(before == static_cast<int64_t>(texts.size()), "texts that end with the last of them");
    require(letters.size() == 0x110000, "a class for each code point");
    require(bits >= 1 && bits <= 22, "1 to 22 bits");
    Counted found;
    {
        const nb::gil_scoped_release released;
        const Loan loan;
        found = count_grams(reinterpret_cast<const uint8_t*>(texts.data()), ends.data(), ends.size(),
                            letters.data(), {characters, least, most, bits, in_order}, *loan.team());
    }
    return nb::make_tuple(array_of(std::move(found.buckets)), array_of(std::move(found.counts)),
                          array_of(std::move(found.offsets)));
}

template <class T>
using Flat = nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

void weigh(
    const std::vector<std::tuple<Flat<const int64_t>, Flat<const int64_t>, Flat<const float>>>& counted,
    const Flat<const int32_t>& rows, const Flat<const double>& rare, const Flat<const double>& damped,
    const Flat<int64_t>& found, const Flat<int64_t>& offsets, const Flat<float>& weights) {
    require(offsets.size() > 0, "room for offsets");
    const size_t texts = offsets.size() - 1;
    size_t room = texts;
    std::vector<Part> parts;
    for (const auto& [buckets, ends, counts] : counted) {
        require(ends.size() == offsets.size() && ends.data()[0] == 0 && buckets.size() == counts.size(),
                "as many texts in each part");
        for (size_t i = 0; i < texts; ++i)
            require(ends.data()[i] <= ends.data()[i + 1], "offsets that ascend");
        require(ends.data()[texts] == static_cast<int64_t>(buckets.size()),
                "offsets that end with the buckets");
        for (size_t i = 0; i < buckets.size(); ++i) {
            require(buckets.data()[i] >= 0 && static_cast<size_t>(buckets.data()[i]) < rows.size(),
                    "buckets");
            const int32_t row = rows.data()[buckets.data()[i]];
            require(row >= 0 && static_cast<size_t>(row) < rare.size(), "rows of the table");
            require(counts.data()[i] >= 1 && counts.data()[i] <= static_cast<float>(damped.size()), "counts");
        }
        room += buckets.size();
        parts.push_back({buckets.data(), ends.data(), counts.data()});
    }
    require(found.size() == room && weights.size() == room, "room for all that was counted");
    nb::gil_scoped_release released;
    weigh_grams(parts, texts, rows.data(), rare.data(), damped.data(), found.data(), offsets.data(),
                weights.data());
}

}  // namespace
}  // namespace ganglion

NB_MODULE(_native, module) {
    using namespace ganglion;
    nb::set_leak_warnings(false);  // networks that live until the process ends are not leaks
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
    module.def("count_grams", &grams_of, nb::arg("texts"), nb::arg("ends"), nb::arg("letters"),
               nb::arg("characters"), nb::arg("least"), nb::arg("most"), nb::arg("bits"),
               nb::arg("in_order"));
    module.def("weigh_grams", &weigh, nb::arg("counted"), nb::arg("rows"), nb::arg("rare"), nb::arg("damped"),
               nb::arg("found"), nb::arg("offsets"), nb::arg("weights"));
    module.def("kinds", [] {
        nb::dict found;
        found["layer"] = kinds_of(chosen->layers);
        found["activation"] = kinds_of(chosen->activations);
        found["loss"] = kinds_of(chosen->losses);
        found["optimizer"] = kinds_of(chosen->optimizers);
        return found;
    });
    nb::class_<Program>(module, "Program")
        .def(nb::init<bool, const nb::list&, const nb::list&, const nb::list&, size_t>())
        .def("predict", &Program::predict)
        .def("predict_numbers", &Program::predict_numbers)
        .def("evaluate", &Program::evaluate);
    nb::class_<Session>(module, "Session")
        .def(nb::init<Program&, const Writable&, const Writable&, const std::optional<Writable>&,
                      const std::vector<Writable>&, const nb::dict&, const nb::dict&,
                      const std::optional<nb::dict>&>(),
             nb::keep_alive<1, 2>(), nb::arg("program"), nb::arg("parameters"), nb::arg("state"),
             nb::arg("mean").none(), nb::arg("slots"), nb::arg("loss"), nb::arg("regularization"),
             nb::arg("optimizer").none())
        .def("rows", &Session::rows, nb::arg("x"), nb::arg("y"), nb::arg("weight").none())
        .def("gradient", &Session::gradient)
        .def("steps", &Session::steps);
    const auto able = engines();
    if (!able.empty()) chosen = able.front();
}
