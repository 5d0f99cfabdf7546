// Normalization: a = scale * normal + shift with normal = (x - mean) / deviation, and its gradient.
// Formulas and names are those of core/layers/normalization.py. x, normal and a consist of lines of
// `features` numbers; shift follows scale in the parameters, and variance follows mean in the state.
#pragma once

#include "layer.hpp"

namespace ganglion::GANGLION_ISA {

struct Normalization : LayerKind {
    static double work(const Step& step) { return 4.0 * static_cast<double>(step.features); }

    // First the normal values, then mean, variance and deviation, or the deviations alone.
    template <class T>
    static size_t room(const Step& step, size_t rows) {
        const size_t lines = rows * (step.inputs / step.features);
        return whole_lines<T>(rows * step.outputs) + larger(3 * step.features, lines);
    }
    template <class T>
    static size_t lines(const Here<T>& here) {
        return here.rows * (here.step.inputs / here.step.features);
    }
    template <class T>
    static T* kept(const Here<T>& here) {
        return here.room + whole_lines<T>(here.rows * here.step.outputs);
    }
};

struct BatchNormalization : Normalization {
    static constexpr const char* name = "batch_normalization";
    static constexpr Names settings = {{"momentum", "epsilon"}};
    static constexpr bool uses_batch = true, has_state = true;
    enum { momentum, epsilon };

    // Mean and variance are those of the batch in training, else those of the state.
    template <class T>
    static const T* forward(const Here<T>& here, T* out) {
        const size_t features = here.step.features, rows = lines(here);
        const T *x = here.x(), *scale = here.own, *shift = scale + features;
        T *normal = here.room, *mean = kept(here), *variance = mean + features,
          *deviation = variance + features;
        const T least = T(here.step.settings[epsilon]);
        if (!here.training) memcpy(mean, here.state, 2 * features * sizeof(T));
        sweep<T>(features, [&](size_t j, auto part) {
            Vector<T> m = load(mean + j, part), v = load(variance + j, part);
            if (here.training) {
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
            const Vector<T> d = square_root(v + least), s = load(scale + j, part), t = load(shift + j, part);
            store(deviation + j, d, part);
            for (size_t i = 0; i < rows; ++i) {
                const size_t at = i * features + j;
                const Vector<T> n = (load(x + at, part) - m) / d;
                store(normal + at, n, part);
                store(out + at, n * s + t, part);
            }
        });
        return out;
    }

    template <class T>
    static void backward(const Here<T>& here, const Back<T>& back) {
        const size_t features = here.step.features, rows = lines(here);
        const T *scale = here.own, *normal = here.room, *deviation = kept(here) + 2 * features,
                *grad = back.grad;
        T *grad_scale = back.gradient, *grad_shift = grad_scale + features, *grad_x = back.grad_x[0];
        sweep<T>(features, [&](size_t j, auto part) {
            Vector<T> of_scale{}, of_shift{};
            for (size_t i = 0; i < rows; ++i) {
                const Vector<T> g = load(grad + i * features + j, part);
                of_scale += g * load(normal + i * features + j, part);
                of_shift += g;
            }
            store(grad_scale + j, of_scale, part);
            store(grad_shift + j, of_shift, part);
            if (!grad_x) return;
            const Vector<T> s = load(scale + j, part), d = load(deviation + j, part);
            const Vector<T> along = of_scale * s / T(rows), mean = of_shift * s / T(rows);
            for (size_t i = 0; i < rows; ++i) {
                const size_t at = i * features + j;
                const Vector<T> centered = load(grad + at, part) * s - mean - load(normal + at, part) * along;
                store(grad_x + at, centered / d, part);
            }
        });
    }

    // Updates the running averages with the batch's moments.
    template <class T>
    static void next_state(const Here<T>& here, T* state) {
        const size_t features = here.step.features, rows = lines(here);
        if (rows == 1) return;  // one row has no unbiased variance
        const T *mean = kept(here), *variance = mean + features;
        T *running_mean = state, *running_variance = state + features;
        const T keep = T(here.step.settings[momentum]), unbiased = T(rows) / T(rows - 1);
        sweep<T>(features, [&](size_t j, auto part) {
            store(running_mean + j,
                  load(running_mean + j, part) * keep + load(mean + j, part) * (T(1) - keep), part);
            store(
                running_variance + j,
                load(running_variance + j, part) * keep + load(variance + j, part) * unbiased * (T(1) - keep),
                part);
        });
    }
};

struct LayerNormalization : Normalization {
    static constexpr const char* name = "layer_normalization";
    static constexpr Names settings = {{"epsilon"}};
    enum { epsilon };

    template <class T>
    static const T* forward(const Here<T>& here, T* out) {
        const size_t features = here.step.features, rows = lines(here);
        const T *x = here.x(), *scale = here.own, *shift = scale + features;
        T *normal = here.room, *deviation = kept(here);
        const T least = T(here.step.settings[epsilon]);
        for (size_t i = 0; i < rows; ++i) {
            const T* from = x + i * features;
            Vector<T> sums{}, squares{};
            sweep<T>(features, [&](size_t j, auto part) { sums += load(from + j, part); });
            const T mean = sum<T>(sums) / T(features);
            sweep<T>(features, [&](size_t j, auto part) {
                const Vector<T> centered = masked<T>(load(from + j, part) - mean, part, T(0));
                squares += centered * centered;
            });
            const T d = square_root(broadcast<T>(sum<T>(squares) / T(features) + least))[0];
            deviation[i] = d;
            sweep<T>(features, [&](size_t j, auto part) {
                const Vector<T> n = (load(from + j, part) - mean) / d;
                store(normal + i * features + j, n, part);
                store(out + i * features + j, n * load(scale + j, part) + load(shift + j, part), part);
            });
        }
        return out;
    }

    template <class T>
    static void backward(const Here<T>& here, const Back<T>& back) {
        const size_t features = here.step.features, rows = lines(here);
        const T *scale = here.own, *normal = here.room, *deviation = kept(here), *grad = back.grad;
        T *grad_scale = back.gradient, *grad_shift = grad_scale + features, *grad_x = back.grad_x[0];
        sum_rows<T>(rows, features, grad, grad_shift, back.add);
        sweep<T>(features, [&](size_t j, auto part) {
            Vector<T> total = back.add ? load(grad_scale + j, part) : Vector<T>{};
            for (size_t i = 0; i < rows; ++i)
                total += load(grad + i * features + j, part) * load(normal + i * features + j, part);
            store(grad_scale + j, total, part);
        });
        for (size_t i = 0; grad_x && i < rows; ++i) {
            const T *g = grad + i * features, *n = normal + i * features;
            Vector<T> sums{}, products{};
            sweep<T>(features, [&](size_t j, auto part) {
                const Vector<T> scaled = load(g + j, part) * load(scale + j, part);
                sums += scaled;
                products += scaled * load(n + j, part);
            });
            const T mean = sum<T>(sums) / T(features), along = sum<T>(products) / T(features);
            sweep<T>(features, [&](size_t j, auto part) {
                const Vector<T> scaled = load(g + j, part) * load(scale + j, part);
                store(grad_x + i * features + j, (scaled - mean - load(n + j, part) * along) / deviation[i],
                      part);
            });
        }
    }
};

// The moments are those of a row, over all places and the channels of a group.
struct GroupNormalization : Normalization {
    static constexpr const char* name = "group_normalization";
    static constexpr Names settings = {{"groups", "epsilon"}};
    enum { groups, epsilon };

    // First the normal values, then the deviation of each row and channel, then two numbers for each channel.
    template <class T>
    static size_t room(const Step& step, size_t rows) {
        return whole_lines<T>(rows * step.outputs) + (rows + 2) * step.features;
    }

    template <class T>
    static const T* forward(const Here<T>& here, T* out) {
        const size_t channels = here.step.features, count = here.step.inputs;
        const T *scale = here.own, *shift = scale + channels;
        T* mean = kept(here) + here.rows * channels;
        const T least = T(here.step.settings[epsilon]);
        for (size_t row = 0; row < here.rows; ++row) {
            const T* x = here.x() + row * count;
            T *normal = here.room + row * count, *to = out + row * count,
              *deviation = kept(here) + row * channels;
            sweep<T>(channels, [&](size_t c, auto part) {
                Vector<T> sums{};
                for (size_t at = c; at < count; at += channels) sums += load(x + at, part);
                store(mean + c, sums, part);
            });
            average(here.step, mean);
            sweep<T>(channels, [&](size_t c, auto part) {
                const Vector<T> m = load(mean + c, part);
                Vector<T> squares{};
                for (size_t at = c; at < count; at += channels) {
                    const Vector<T> centered = load(x + at, part) - m;
                    squares += centered * centered;
                }
                store(deviation + c, squares, part);
            });
            average(here.step, deviation);
            sweep<T>(channels, [&](size_t c, auto part) {
                const Vector<T> m = load(mean + c, part), s = load(scale + c, part),
                                t = load(shift + c, part), d = square_root(load(deviation + c, part) + least);
                store(deviation + c, d, part);
                for (size_t at = c; at < count; at += channels) {
                    const Vector<T> n = (load(x + at, part) - m) / d;
                    store(normal + at, n, part);
                    store(to + at, n * s + t, part);
                }
            });
        }
        return out;
    }

    template <class T>
    static void backward(const Here<T>& here, const Back<T>& back) {
        const size_t channels = here.step.features, count = here.step.inputs, all = here.rows * count;
        const T* scale = here.own;
        T *grad_scale = back.gradient, *grad_shift = grad_scale + channels, *grad_x = back.grad_x[0],
          *mean = kept(here) + here.rows * channels, *along = mean + channels;
        sum_rows<T>(lines(here), channels, back.grad, grad_shift, back.add);
        sweep<T>(channels, [&](size_t c, auto part) {
            Vector<T> total = back.add ? load(grad_scale + c, part) : Vector<T>{};
            for (size_t at = c; at < all; at += channels)
                total += load(back.grad + at, part) * load(here.room + at, part);
            store(grad_scale + c, total, part);
        });
        for (size_t row = 0; grad_x && row < here.rows; ++row) {
            const T *grad = back.grad + row * count, *normal = here.room + row * count,
                    *deviation = kept(here) + row * channels;
            T* to = grad_x + row * count;
            sweep<T>(channels, [&](size_t c, auto part) {
                const Vector<T> s = load(scale + c, part);
                Vector<T> sums{}, products{};
                for (size_t at = c; at < count; at += channels) {
                    const Vector<T> scaled = load(grad + at, part) * s;
                    sums += scaled;
                    products += scaled * load(normal + at, part);
                }
                store(mean + c, sums, part);
                store(along + c, products, part);
            });
            average(here.step, mean);
            average(here.step, along);
            sweep<T>(channels, [&](size_t c, auto part) {
                const Vector<T> s = load(scale + c, part), m = load(mean + c, part),
                                p = load(along + c, part), d = load(deviation + c, part);
                for (size_t at = c; at < count; at += channels)
                    store(to + at, (load(grad + at, part) * s - m - load(normal + at, part) * p) / d, part);
            });
        }
    }

private:
    // Replaces the sum of each channel by the mean of its group.
    template <class T>
    static void average(const Step& step, T* sums) {
        const size_t each = step.features / static_cast<size_t>(step.settings[groups]);
        const T count = T(each * (step.inputs / step.features));
        for (T* group = sums; group < sums + step.features; group += each) {
            T total = 0;
            for (size_t c = 0; c < each; ++c) total += group[c];
            for (size_t c = 0; c < each; ++c) group[c] = total / count;
        }
    }
};

}  // namespace ganglion::GANGLION_ISA
