// A piecewise-linear encoding and the dense layers behind it, without the numbers between them.
//
// Of the bins of an input, those below x are full, one is partly full, and the others are empty. What the
// dense layer adds up is therefore the sum of the weights of the full bins, which many rows share, and a part
// of one weight: some operations for each input, however many bins it has. The gradient goes the same way
// back. `engines/native.py` puts these kinds in place of the layers where nothing else reads the bins.
#pragma once

#include "dense.hpp"

namespace ganglion::GANGLION_ISA {

constexpr size_t NUMBERS_OF_PLACE = 3;  // x, the number of its bin, how full that is

// Writes the place of each input. The step's constants are, for each input, the number of its edges and
// these.
struct Bins : LayerKind {
    static constexpr const char* name = "bins";
    static constexpr bool in_place = false;

    static double work(const Step& step) { return 8.0 * static_cast<double>(step.inputs); }

    // Of the input with most edges.
    template <class T>
    static size_t room(const Step& step, size_t) {
        size_t most = 0;
        const double* from = step.constants;
        for (size_t i = 0; i < step.inputs; ++i) {
            most = larger(most, static_cast<size_t>(*from));
            from += 1 + static_cast<size_t>(*from);
        }
        return most;
    }

    template <class T>
    static const T* forward(const Here<T>& here, T* out) {
        const size_t inputs = here.step.inputs;
        const double* from = here.step.constants;
        T* edges = here.room;
        for (size_t i = 0; i < inputs; ++i) {
            const size_t count = static_cast<size_t>(*from++), bins = count ? count - 1 : 0;
            for (size_t k = 0; k < count; ++k) edges[k] = T(from[k]);
            from += count;
            for (size_t row = 0; row < here.rows; ++row) {
                const T x = here.x()[row * inputs + i];
                T* to = out + (row * inputs + i) * NUMBERS_OF_PLACE;
                size_t place = 0;
                for (size_t k = 1; k < bins; ++k) place += x >= edges[k];
                to[0] = x;
                to[1] = T(place);
                if (bins) to[2] = (x - edges[place]) / (edges[place + 1] - edges[place]);
                if (!(bins && to[2] > T(0))) to[2] = T(0);
                if (to[2] > T(1)) to[2] = T(1);
            }
        }
        return out;
    }

    template <class T>
    static void backward(const Here<T>&, const Back<T>&) {}  // no step before it learns
};

// A dense layer that reads places. The step's constants are the number of bins of each input. Its weight has
// a row for each input and then one for each of its bins.
struct BinnedDense : LayerKind {
    static constexpr const char* name = "binned_dense";
    static constexpr Names settings = {{"units"}};
    static constexpr bool in_place = false, takes_activation = true;

    static double work(const Step& step) {
        return 2.0 * static_cast<double>(step.inputs) * static_cast<double>(step.outputs);
    }
    static size_t product(const Step& step) { return step.inputs * step.outputs; }

    // For each part of the units: two lines for each bin of the input with most bins, and one for each row.
    template <class T>
    static size_t room(const Step& step, size_t rows) {
        return parts(step) * part_room(step, rows);
    }

    template <class T>
    static void forward(const Here<T>& here, T* z, T* a) {
        const size_t units = here.step.outputs;
        T* to = z ? z : a;
        const T* bias = here.own + weights(here.step) * units;
        each_part(here, [&](auto count, const Part<T>& part) {
            for (size_t row = 0; row < here.rows; ++row)
                copy(count, bias + part.first, part.rows + row * UNITS);
            each_input(here.step, [&](size_t input, size_t bins, size_t weight) {
                const T* own = here.own + weight * units + part.first;
                add_input<T>(count, here.rows, here.step.inputs, here.x() + input * NUMBERS_OF_PLACE, bins,
                             units, own, part);
            });
            for (size_t row = 0; row < here.rows; ++row)
                copy(count, part.rows + row * UNITS, to + row * units + part.first);
        });
        if (!is_identity(here.activation)) activate<T>(here.activation, {here.rows, units, units}, to, a);
    }

    template <class T>
    static void backward(const Here<T>& here, const Back<T>& back) {
        const size_t units = here.step.outputs;
        if (!back.gradient) return;
        sum_rows<T>(here.rows, units, back.grad, back.gradient + weights(here.step) * units, back.add);
        each_part(here, [&](auto count, const Part<T>& part) {
            for (size_t row = 0; row < here.rows; ++row)
                copy(count, back.grad + row * units + part.first, part.rows + row * UNITS);
            each_input(here.step, [&](size_t input, size_t bins, size_t weight) {
                T* own = back.gradient + weight * units + part.first;
                const T* x = here.x() + input * NUMBERS_OF_PLACE;
                add_gradient<T>(count, here.rows, here.step.inputs, x, bins, units, own, part, back.add);
            });
        });
    }

private:
    static constexpr size_t FEW_ROWS = 4;
    static constexpr size_t UNITS = 64;  // of a part, whose lines and rows stay in the nearest cache

    // Some of the units: the first of them, room for two lines for each bin of an input and one for each row.
    template <class T>
    struct Part {
        size_t first;
        T *lines, *rows;
    };

    struct AllUnits {  // a number that the compiler knows
        constexpr operator size_t() const { return UNITS; }
    };

    // Adds to each row what one input contributes. `x` is its place in the first row, the next is `step` on.
    template <class T, class Count>
    GANGLION_INLINE static void add_input(Count count, size_t rows, size_t step, const T* x, size_t bins,
                                          size_t units, const T* own, Part<T> to) {
        const bool few = rows < FEW_ROWS;  // that a sum would not be shared
        if (bins && !few) add_up<T>(count, bins, units, own + units, to.lines);
        for (size_t row = 0; row < rows; ++row, x += step) {
            T* total = to.rows + row * UNITS;
            if (!bins) {
                if (x[0] != T(0))  // most categories are not the one
                    sweep<T>(count, [=](size_t j, auto part) {
                        store(total + j, load(total + j, part) + load(own + j, part) * x[0], part);
                    });
                continue;
            }
            const size_t bin = static_cast<size_t>(x[1]);
            const T number = x[0], full = x[2];
            if (few) add_up<T>(count, bin + 1, units, own + units, to.lines);
            const T *below = to.lines + 2 * bin * UNITS, *in_bin = below + UNITS;
            sweep<T>(count, [=](size_t j, auto part) {
                const Vector<T> in_bins = load(below + j, part) + load(in_bin + j, part) * full;
                store(total + j, load(total + j, part) + (in_bins + load(own + j, part) * number), part);
            });
        }
    }

    // Writes for each bin the sum of the weights of those below it, and its own weights.
    template <class T, class Count>
    GANGLION_INLINE static void add_up(Count count, size_t bins, size_t units, const T* weights, T* lines) {
        sweep<T>(count, [=](size_t j, auto part) {
            Vector<T> below{};
            const T* from = weights + j;
            T* to = lines + j;
            for (size_t k = 0; k < bins; ++k, from += units, to += 2 * UNITS) {
                const Vector<T> own = load(from, part);
                store(to, below, part);
                store(to + UNITS, own, part);
                below += own;
            }
        });
    }

    // Writes the gradient of one input's weights, `own`, or adds to it.
    template <class T, class Count>
    GANGLION_INLINE static void add_gradient(Count count, size_t rows, size_t step, const T* x, size_t bins,
                                             size_t units, T* own, Part<T> from, bool add) {
        T totals[UNITS] = {}, *total = totals, *lines = from.lines;
        memset(lines, 0, 2 * bins * UNITS * sizeof(T));
        for (size_t row = 0; row < rows; ++row, x += step) {
            const T number = x[0], full = x[2];
            const T* grad = from.rows + row * UNITS;
            if (!bins) {
                if (number != T(0))
                    sweep<T>(count, [=](size_t j, auto part) {
                        store(total + j, load(total + j, part) + load(grad + j, part) * number, part);
                    });
                continue;
            }
            T *below = lines + 2 * static_cast<size_t>(x[1]) * UNITS, *in_bin = below + UNITS;
            sweep<T>(count, [=](size_t j, auto part) {
                const Vector<T> g = load(grad + j, part);
                store(total + j, load(total + j, part) + g * number, part);
                store(below + j, load(below + j, part) + g, part);
                store(in_bin + j, load(in_bin + j, part) + g * full, part);
            });
        }
        sweep<T>(count, [=](size_t j, auto part) {
            const auto put = [=](T* at, Vector<T> value) {
                store(at, add ? load(at, part) + value : value, part);
            };
            put(own + j, load(total + j, part));
            Vector<T> above{};  // a bin is full for the rows in the bins above it
            T* to = own + bins * units + j;
            const T* at = lines + 2 * bins * UNITS + j;
            for (size_t k = 0; k < bins; ++k, to -= units) {
                at -= 2 * UNITS;
                put(to, load(at + UNITS, part) + above);
                above += load(at, part);
            }
        });
    }

    template <class T, class Count>
    GANGLION_INLINE static void copy(Count count, const T* from, T* to) {
        sweep<T>(count, [=](size_t j, auto part) { store(to + j, load(from + j, part), part); });
    }

    static size_t parts(const Step& step) { return (step.outputs + UNITS - 1) / UNITS; }
    static size_t part_room(const Step& step, size_t rows) {
        size_t most = 0;
        for (size_t i = 0; i < step.inputs / NUMBERS_OF_PLACE; ++i)
            most = larger(most, static_cast<size_t>(step.constants[i]));
        return (2 * most + rows) * UNITS;
    }

    // The rows of the weight.
    static size_t weights(const Step& step) {
        size_t count = 0;
        each_input(step, [&](size_t, size_t bins, size_t weight) { count = weight + 1 + bins; });
        return count;
    }

    // Calls body(number of units, part) for parts of the units, on several threads if it is worth it.
    template <class T, class Body>
    static void each_part(const Here<T>& here, Body body) {
        const bool shared = work(here.step) * static_cast<double>(here.rows) >= WORTH_A_THREAD;
        const size_t own = part_room(here.step, here.rows);
        each(shared ? here.workers.team : nullptr, parts(here.step), [&](size_t which, size_t) {
            const size_t first = which * UNITS, left = here.step.outputs - first;
            T* room = here.room + which * own;
            const Part<T> part = {first, room, room + own - here.rows * UNITS};
            if (left < UNITS) body(left, part);
            else body(AllUnits{}, part);
        });
    }

    // Calls body(input, number of its bins, the row of its weight).
    template <class Body>
    GANGLION_INLINE static void each_input(const Step& step, Body body) {
        size_t weight = 0;
        for (size_t i = 0; i < step.inputs / NUMBERS_OF_PLACE; ++i) {
            const size_t bins = static_cast<size_t>(step.constants[i]);
            body(i, bins, weight);
            weight += 1 + bins;
        }
    }
};

}  // namespace ganglion::GANGLION_ISA
