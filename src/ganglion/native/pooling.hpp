// Pooling: each window of an image is reduced to one number per channel.
#pragma once

#include "layer.hpp"

namespace ganglion::GANGLION_ISA {

// The windows along one axis, as in core/layers/pooling.py; the first begins `before` places before the edge.
struct Windows {
    size_t size, pool, stride, count, before;

    // The places of a window inside the image, from `first` to before `last`; the window starts at `begin`.
    struct Inside {
        ptrdiff_t begin;
        size_t first, last;
    };
    bool overlap() const { return stride < pool; }
    bool cover() const { return stride <= pool && (count - 1) * stride + pool >= size + before; }
    Inside inside(size_t window) const {
        const ptrdiff_t begin = static_cast<ptrdiff_t>(window * stride) - static_cast<ptrdiff_t>(before);
        const ptrdiff_t end = begin + static_cast<ptrdiff_t>(pool);
        return {begin, begin < 0 ? 0 : static_cast<size_t>(begin), smaller(size, static_cast<size_t>(end))};
    }
};

struct Pool2D : LayerKind {
    static constexpr Names settings = {{"pool_0", "pool_1", "stride_0", "stride_1", "same"}};
    static constexpr bool in_place = false;
    enum { pool, stride = 2, same = 4 };

    static double work(const Step& step) {
        return static_cast<double>(step.outputs) * step.settings[pool] * step.settings[pool + 1];
    }

protected:
    static Windows windows(const Step& step, size_t axis) {
        Windows found = {step.shapes[0][axis], static_cast<size_t>(step.settings[pool + axis]),
                         static_cast<size_t>(step.settings[stride + axis]), step.shape[axis], 0};
        const size_t needed = (found.count - 1) * found.stride + found.pool;
        if (step.settings[same] != 0 && needed > found.size) found.before = (needed - found.size) / 2;
        return found;
    }

    // Calls body(row, index of the window, rows and columns that it covers) for each window of each row.
    template <class T, class Body>
    static void each_window(const Here<T>& here, Body body) {
        const Windows height = windows(here.step, 0), width = windows(here.step, 1);
        each_rows(here.workers.team, here.rows, here.step.inputs, [&](size_t first, size_t last) {
            for (size_t row = first; row < last; ++row)
                for (size_t i = 0; i < height.count; ++i)
                    for (size_t j = 0; j < width.count; ++j)
                        body(row, i * width.count + j, height.inside(i), width.inside(j));
        });
    }

    // The same with a last argument: add(to, value, part) adds to a gradient of the input, which is 0 at
    // first. Where windows do not overlap, this is to write it.
    template <class T, class Body>
    static void each_gradient(const Here<T>& here, const Back<T>& back, Body body) {
        const Windows height = windows(here.step, 0), width = windows(here.step, 1);
        if (!height.cover() || !width.cover() || height.overlap() || width.overlap())
            memset(back.grad_x[0], 0, here.rows * here.step.inputs * sizeof(T));
        const auto each = [&](auto add) {
            each_window(here, [&](size_t row, size_t window, Windows::Inside down, Windows::Inside along) {
                body(row, window, down, along, add);
            });
        };
        if (height.overlap() || width.overlap())
            each([](T* to, Vector<T> value, auto part) { store(to, load(to, part) + value, part); });
        else each([](T* to, Vector<T> value, auto part) { store(to, value, part); });
    }
};

struct MaxPool2D : Pool2D {
    static constexpr const char* name = "max_pool_2d";

    // The place of each maximum in its window.
    template <class T>
    static size_t room(const Step& step, size_t rows) {
        return rows * step.outputs;
    }

    template <class T>
    static const T* forward(const Here<T>& here, T* out) {
        const size_t channels = here.step.columns, columns = here.step.shapes[0][1],
                     across = static_cast<size_t>(here.step.settings[pool + 1]);
        T* choices = here.room;
        each_window(here, [&](size_t row, size_t window, Windows::Inside down, Windows::Inside along) {
            const T* x = here.x() + row * here.step.inputs;
            const size_t at = row * here.step.outputs + window * channels;
            sweep<T>(channels, [&](size_t c, auto part) {
                Vector<T> most = load(x + (down.first * columns + along.first) * channels + c, part);
                Vector<T> choice = broadcast<T>(number_of_first<T>(down, along, down.first, across));
                for (size_t i = down.first; i < down.last; ++i) {
                    T number = number_of_first<T>(down, along, i, across);
                    for (size_t j = along.first; j < along.last; ++j, number += 1) {
                        const Vector<T> value = load(x + (i * columns + j) * channels + c, part);
                        // NaN counts as the largest, as in NumPy.
                        const auto larger = ~(value <= most) & (most == most);
                        most = larger ? value : most;
                        choice = larger ? broadcast<T>(number) : choice;
                    }
                }
                store(out + at + c, most, part);
                store(choices + at + c, choice, part);
            });
        });
        return out;
    }

    template <class T>
    static void backward(const Here<T>& here, const Back<T>& back) {
        if (!back.grad_x[0]) return;
        const size_t channels = here.step.columns, columns = here.step.shapes[0][1],
                     across = static_cast<size_t>(here.step.settings[pool + 1]);
        each_gradient(here, back,
                      [&](size_t row, size_t window, Windows::Inside down, Windows::Inside along, auto add) {
                          T* grad_x = back.grad_x[0] + row * here.step.inputs;
                          const size_t at = row * here.step.outputs + window * channels;
                          sweep<T>(channels, [&](size_t c, auto part) {
                              const Vector<T> choice = load(here.room + at + c, part),
                                              grad = load(back.grad + at + c, part);
                              for (size_t i = down.first; i < down.last; ++i) {
                                  T number = number_of_first<T>(down, along, i, across);
                                  for (size_t j = along.first; j < along.last; ++j, number += 1)
                                      add(grad_x + (i * columns + j) * channels + c,
                                          choice == number ? grad : Vector<T>{}, part);
                              }
                          });
                      });
    }

private:
    // The number, in its window, of the first place in a row of it.
    template <class T>
    static T number_of_first(Windows::Inside down, Windows::Inside along, size_t row, size_t across) {
        return T(static_cast<size_t>(static_cast<ptrdiff_t>(row) - down.begin) * across +
                 static_cast<size_t>(static_cast<ptrdiff_t>(along.first) - along.begin));
    }
};

struct AveragePool2D : Pool2D {
    static constexpr const char* name = "average_pool_2d";

    template <class T>
    static const T* forward(const Here<T>& here, T* out) {
        const size_t channels = here.step.columns, columns = here.step.shapes[0][1];
        each_window(here, [&](size_t row, size_t window, Windows::Inside down, Windows::Inside along) {
            const T* x = here.x() + row * here.step.inputs;
            T* to = out + row * here.step.outputs + window * channels;
            sweep<T>(channels, [&](size_t c, auto part) {
                Vector<T> total{};
                for (size_t i = down.first; i < down.last; ++i)
                    for (size_t j = along.first; j < along.last; ++j)
                        total += load(x + (i * columns + j) * channels + c, part);
                store(to + c, total / count<T>(down, along), part);
            });
        });
        return out;
    }

    template <class T>
    static void backward(const Here<T>& here, const Back<T>& back) {
        if (!back.grad_x[0]) return;
        const size_t channels = here.step.columns, columns = here.step.shapes[0][1];
        each_gradient(here, back,
                      [&](size_t row, size_t window, Windows::Inside down, Windows::Inside along, auto add) {
                          T* grad_x = back.grad_x[0] + row * here.step.inputs;
                          const T* grad = back.grad + row * here.step.outputs + window * channels;
                          sweep<T>(channels, [&](size_t c, auto part) {
                              const Vector<T> each = load(grad + c, part) / count<T>(down, along);
                              for (size_t i = down.first; i < down.last; ++i)
                                  for (size_t j = along.first; j < along.last; ++j)
                                      add(grad_x + (i * columns + j) * channels + c, each, part);
                          });
                      });
    }

private:
    template <class T>
    static T count(Windows::Inside down, Windows::Inside along) {
        return T((down.last - down.first) * (along.last - along.first));
    }
};

}  // namespace ganglion::GANGLION_ISA
