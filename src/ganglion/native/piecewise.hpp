// Piecewise-linear encoding: each input, then how full each of its bins is, clip((x - low) / width, 0, 1).
#pragma once

#include "layer.hpp"

namespace ganglion::GANGLION_ISA {

struct PiecewiseLinear : LayerKind {
    static constexpr const char* name = "piecewise_linear";
    static constexpr bool in_place = false;

    static double work(const Step& step) { return 4.0 * static_cast<double>(step.outputs); }

    // The lower edge of each bin, then its width.
    template <class T>
    static size_t room(const Step& step, size_t) {
        return 2 * (step.columns - step.features);
    }

    template <class T>
    static const T* forward(const Here<T>& here, T* out) {
        const Step& step = here.step;
        prepare(here);
        each_line(here, [&](size_t line) {
            T* to = out + line * step.columns;
            each_input(here, [&](size_t i, size_t bins, const T* low, const T* width) {
                const T x = here.x()[line * step.features + i];
                *to++ = x;
                sweep<T>(bins, [&](size_t k, auto part) {
                    const Vector<T> full = reach<T>(x, low + k, width + k, part);
                    store(to + k, minimum<T>(maximum<T>(full, Vector<T>{}), broadcast<T>(T(1))), part);
                });
                to += bins;
            });
        });
        return out;
    }

    // At an edge, the derivative is that of the bin above.
    template <class T>
    static void backward(const Here<T>& here, const Back<T>& back) {
        if (!back.grad_x[0]) return;
        const Step& step = here.step;
        each_line(here, [&](size_t line) {
            const T* grad = back.grad + line * step.columns;
            each_input(here, [&](size_t i, size_t bins, const T* low, const T* width) {
                const size_t at = line * step.features + i;
                const T x = here.x()[at], passed = *grad++;
                Vector<T> total{};
                sweep<T>(bins, [&](size_t k, auto part) {
                    const Vector<T> full = reach<T>(x, low + k, width + k, part);
                    const Vector<T> own = (full >= T(0)) & (full < T(1))
                                              ? load(grad + k, part) / load(width + k, part)
                                              : Vector<T>{};
                    total += masked<T>(own, part, T(0));
                });
                grad += bins;
                back.grad_x[0][at] = passed + sum<T>(total);
            });
        });
    }

private:
    template <class T, class Lanes>
    GANGLION_INLINE static Vector<T> reach(T x, const T* low, const T* width, Lanes part) {
        return (x - load(low, part)) / load(width, part);
    }

    // The step's constants are, for each input, the number of its edges and the edges.
    template <class T>
    static void prepare(const Here<T>& here) {
        T *low = here.room, *width = low + (here.step.columns - here.step.features);
        const double* from = here.step.constants;
        for (size_t i = 0; i < here.step.features; ++i) {
            const size_t edges = static_cast<size_t>(*from++);
            for (size_t k = 1; k < edges; ++k) {
                *low++ = T(from[k - 1]);
                *width++ = T(from[k]) - T(from[k - 1]);
            }
            from += edges;
        }
    }

    // Calls body(input, number of its bins, their lower edges, their widths) for each input of a line.
    template <class T, class Body>
    GANGLION_INLINE static void each_input(const Here<T>& here, Body body) {
        const T *low = here.room, *width = low + (here.step.columns - here.step.features);
        const double* from = here.step.constants;
        for (size_t i = 0; i < here.step.features; ++i) {
            const size_t edges = static_cast<size_t>(*from), bins = edges ? edges - 1 : 0;
            body(i, bins, low, width);
            low += bins;
            width += bins;
            from += 1 + edges;
        }
    }

    template <class T, class Body>
    static void each_line(const Here<T>& here, Body body) {
        const size_t lines = here.step.inputs / here.step.features;
        each_rows(here.workers.team, here.rows, here.step.outputs, [&](size_t first, size_t last) {
            for (size_t line = first * lines; line < last * lines; ++line) body(line);
        });
    }
};

}  // namespace ganglion::GANGLION_ISA
