// Normalization: a = scale * normal + shift with normal = (x - mean) / deviation, and its gradient.
// Formulas and names are those of core/layers/normalization.py. x, normal and a are rows of `features`
// numbers.
#pragma once

#include "matrix.hpp"

namespace ganglion::GANGLION_ISA {

// mean and variance: of the batch while training, else those given.
template <class T>
void batch_normalization(size_t rows, size_t features, T epsilon, bool training, const T* scale,
                         const T* shift, const T* x, T* mean, T* variance, T* deviation, T* normal, T* a) {
    sweep<T>(features, [&](size_t j, auto part) {
        Vector<T> m = load(mean + j, part), v = load(variance + j, part);
        if (training) {
            m = Vector<T>{}, v = Vector<T>{};
            for (size_t i = 0; i < rows; ++i) m += load(x + i * features + j, part);
            m = m / T(rows);
            for (size_t i = 0; i < rows; ++i) {
                const Vector<T> centered = load(x + i * features + j, part) - m;
                v += centered * centered;
            }
            v = v / T(rows);
            store(mean + j, m, part);
            store(variance + j, v, part);
        }
        const Vector<T> d = square_root(v + epsilon), s = load(scale + j, part), t = load(shift + j, part);
        store(deviation + j, d, part);
        for (size_t i = 0; i < rows; ++i) {
            const size_t at = i * features + j;
            const Vector<T> n = (load(x + at, part) - m) / d;
            store(normal + at, n, part);
            store(a + at, n * s + t, part);
        }
    });
}

template <class T>
void batch_normalization_backward(size_t rows, size_t features, const T* scale, const T* deviation,
                                  const T* normal, T* grad, T* grad_scale, T* grad_shift) {
    sweep<T>(features, [&](size_t j, auto part) {
        Vector<T> of_scale{}, of_shift{};
        for (size_t i = 0; i < rows; ++i) {
            const Vector<T> g = load(grad + i * features + j, part);
            of_scale += g * load(normal + i * features + j, part);
            of_shift += g;
        }
        store(grad_scale + j, of_scale, part);
        store(grad_shift + j, of_shift, part);
        const Vector<T> s = load(scale + j, part), d = load(deviation + j, part);
        const Vector<T> along = of_scale * s / T(rows), mean = of_shift * s / T(rows);
        for (size_t i = 0; i < rows; ++i) {
            const size_t at = i * features + j;
            store(grad + at, (load(grad + at, part) * s - mean - load(normal + at, part) * along) / d, part);
        }
    });
}

template <class T>
void batch_normalization_state(size_t rows, size_t features, T keep, const T* mean, const T* variance,
                               T* running_mean, T* running_variance) {
    if (rows == 1) return;  // one row has no variance to learn from
    const T unbiased = T(rows) / T(rows - 1);
    sweep<T>(features, [&](size_t j, auto part) {
        store(running_mean + j, load(running_mean + j, part) * keep + load(mean + j, part) * (T(1) - keep),
              part);
        store(running_variance + j,
              load(running_variance + j, part) * keep + load(variance + j, part) * unbiased * (T(1) - keep),
              part);
    });
}

template <class T>
void layer_normalization(size_t rows, size_t features, T epsilon, const T* scale, const T* shift, const T* x,
                         T* deviation, T* normal, T* a) {
    for (size_t i = 0; i < rows; ++i) {
        const T* from = x + i * features;
        Vector<T> sums{}, squares{};
        sweep<T>(features, [&](size_t j, auto part) { sums += load(from + j, part); });
        const T mean = sum<T>(sums) / T(features);
        sweep<T>(features, [&](size_t j, auto part) {
            const Vector<T> centered = only<T>(load(from + j, part) - mean, part, T(0));
            squares += centered * centered;
        });
        const T d = square_root(all<T>(sum<T>(squares) / T(features) + epsilon))[0];
        deviation[i] = d;
        sweep<T>(features, [&](size_t j, auto part) {
            const Vector<T> n = (load(from + j, part) - mean) / d;
            store(normal + i * features + j, n, part);
            store(a + i * features + j, n * load(scale + j, part) + load(shift + j, part), part);
        });
    }
}

// grad_scale and grad_shift are added to where `add`.
template <class T>
void layer_normalization_backward(size_t rows, size_t features, const T* scale, const T* deviation,
                                  const T* normal, T* grad, T* grad_scale, T* grad_shift, bool add) {
    sum_rows<T>(rows, features, grad, grad_shift, add);
    sweep<T>(features, [&](size_t j, auto part) {
        Vector<T> total = add ? load(grad_scale + j, part) : Vector<T>{};
        for (size_t i = 0; i < rows; ++i)
            total += load(grad + i * features + j, part) * load(normal + i * features + j, part);
        store(grad_scale + j, total, part);
    });
    for (size_t i = 0; i < rows; ++i) {
        T* g = grad + i * features;
        const T* n = normal + i * features;
        Vector<T> sums{}, products{};
        sweep<T>(features, [&](size_t j, auto part) {
            const Vector<T> scaled = load(g + j, part) * load(scale + j, part);
            sums += scaled;
            products += scaled * load(n + j, part);
        });
        const T mean = sum<T>(sums) / T(features), along = sum<T>(products) / T(features);
        sweep<T>(features, [&](size_t j, auto part) {
            const Vector<T> scaled = load(g + j, part) * load(scale + j, part);
            store(g + j, (scaled - mean - load(n + j, part) * along) / deviation[i], part);
        });
    }
}

}  // namespace ganglion::GANGLION_ISA
