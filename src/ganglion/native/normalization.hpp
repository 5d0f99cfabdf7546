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

    // Mean, variance and deviation, then two sums for each part of the lines.
    template <class T>
    static size_t room(const Step& step, size_t rows) {
        const size_t lines = rows * (step.inputs / step.features);
        return (3 + 2 * parts(lines, step.features)) * step.features;
    }

    // Mean and variance are those of the batch in training, else those of the state.
    template <class T>
    static const T* forward(const Here<T>& here, T* out) {
        const size_t features = here.step.features;
        const T *x = here.x(), *scale = here.own, *shift = scale + features;
        T *mean = here.room, *variance = mean + features, *deviation = variance + features,
          *sums = deviation + features;
        const T least = T(here.step.settings[epsilon]);
        if (!here.training) memcpy(mean, here.state, 2 * features * sizeof(T));
        else moments(here, mean, variance, sums);
        sweep<T>(features, [&](size_t j, auto part) {
            store(deviation + j, square_root(load(variance + j, part) + least), part);
        });
        each_part_of_lines(here, [&](size_t, size_t first, size_t last) {
            sweep<T>(features, [&](size_t j, auto part) {
                const Vector<T> m = load(mean + j, part), d = load(deviation + j, part),
                                s = load(scale + j, part), t = load(shift + j, part);
                for (size_t at = first * features + j; at < last * features; at += features)
                    store(out + at, (load(x + at, part) - m) / d * s + t, part);
            });
        });
        return out;
    }

    template <class T>
    static void backward(const Here<T>& here, const Back<T>& back) {
        const size_t features = here.step.features, rows = lines(here), count = parts(rows, features);
        const T *x = here.x(), *scale = here.own, *mean = here.room, *deviation = mean + 2 * features,
                *grad = back.grad;
        T *grad_scale = back.gradient, *grad_shift = grad_scale + features, *grad_x = back.grad_x[0],
          *sums = here.room + 3 * features;
        each_part_of_lines(here, [&](size_t piece, size_t first, size_t last) {
            T* own = sums + 2 * piece * features;
            sweep<T>(features, [&](size_t j, auto part) {
                const Vector<T> m = load(mean + j, part), d = load(deviation + j, part);
                Vector<T> of_scale{}, of_shift{};
                for (size_t at = first * features + j; at < last * features; at += features) {
                    const Vector<T> g = load(grad + at, part);
                    of_scale += g * ((load(x + at, part) - m) / d);
                    of_shift += g;
                }
                store(own + j, of_scale, part);
                store(own + features + j, of_shift, part);
            });
        });
        add_up(features, count, sums, grad_scale);
        add_up(features, count, sums + features, grad_shift);
        if (!grad_x) return;
        each_part_of_lines(here, [&](size_t, size_t first, size_t last) {
            sweep<T>(features, [&](size_t j, auto part) {
                const Vector<T> m = load(mean + j, part), d = load(deviation + j, part),
                                s = load(scale + j, part);
                const Vector<T> along = load(grad_scale + j, part) * s / T(rows),
                                center = load(grad_shift + j, part) * s / T(rows);
                for (size_t at = first * features + j; at < last * features; at += features) {
                    const Vector<T> normal = (load(x + at, part) - m) / d;
                    store(grad_x + at, (load(grad + at, part) * s - center - normal * along) / d, part);
                }
            });
        });
    }

    // Updates the running averages with the batch's moments.
    template <class T>
    static void next_state(const Here<T>& here, T* state) {
        const size_t features = here.step.features, rows = lines(here);
        if (rows == 1) return;  // one row has no unbiased variance
        const T *mean = here.room, *variance = mean + features;
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

private:
    // The numbers of a part, few enough for the second cache. The parts do not depend on the threads.
    static constexpr size_t PART = 1 << 15;

    static size_t parts(size_t lines, size_t features) { return larger(1, lines * features / PART); }

    // Calls work(part, first line, line after the last) for each part of the lines.
    template <class T, class Work>
    static void each_part_of_lines(const Here<T>& here, Work work) {
        const size_t rows = lines(here), count = parts(rows, here.step.features);
        each(here.workers.team, count,
             [&](size_t piece, size_t) { work(piece, rows * piece / count, rows * (piece + 1) / count); });
    }

    // total[j] = the sum over the parts of their first sums.
    template <class T>
    static void add_up(size_t features, size_t count, const T* sums, T* total) {
        sweep<T>(features, [&](size_t j, auto part) {
            Vector<T> all = load(sums + j, part);
            for (size_t piece = 1; piece < count; ++piece) all += load(sums + 2 * piece * features + j, part);
            store(total + j, all, part);
        });
    }

    // Mean and variance of the batch, from those of its parts (Chan, Golub and LeVeque, 1983), so that x is
    // read once.
    template <class T>
    static void moments(const Here<T>& here, T* mean, T* variance, T* sums) {
        const size_t features = here.step.features, rows = lines(here), count = parts(rows, features);
        const T* x = here.x();
        each_part_of_lines(here, [&](size_t piece, size_t first, size_t last) {
            T* own = sums + 2 * piece * features;
            sweep<T>(features, [&](size_t j, auto part) {
                Vector<T> total{}, squares{};
                for (size_t at = first * features + j; at < last * features; at += features)
                    total += load(x + at, part);
                const Vector<T> m = total / T(last - first);
                for (size_t at = first * features + j; at < last * features; at += features) {
                    const Vector<T> centered = load(x + at, part) - m;
                    squares += centered * centered;
                }
                store(own + j, total, part);
                store(own + features + j, squares, part);
            });
        });
        add_up(features, count, sums, mean);
        sweep<T>(features, [&](size_t j, auto part) {
            const Vector<T> m = load(mean + j, part) / T(rows);
            Vector<T> all{};
            for (size_t piece = 0; piece < count; ++piece) {
                const T* own = sums + 2 * piece * features;
                const T size = T(rows * (piece + 1) / count - rows * piece / count);
                const Vector<T> apart = load(own + j, part) / size - m;
                all += load(own + features + j, part) + apart * apart * size;
            }
            store(mean + j, m, part);
            store(variance + j, all / T(rows), part);
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
