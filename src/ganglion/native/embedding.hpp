// Embeddings: integers select rows of a table, one by one or as a bag.
//
// Their gradient is row-sparse. The backward pass keeps the gradients of the batch's rows; `each_read` then
// enumerates the rows of the table that were read, in the order of the batch, with their gradients.
#pragma once

#include "layer.hpp"

namespace ganglion::GANGLION_ISA {

// Some rows of bags: row i is row order[i], or first + i if there is no order.
template <class T>
struct Bags {
    const int64_t *indices, *offsets, *order;
    const T* weights;
    size_t first;

    size_t row(size_t i) const { return order ? static_cast<size_t>(order[i]) : first + i; }
};

struct Table : LayerKind {
    static constexpr bool row_sparse = true, in_place = false;

    static double work(const Step& step) { return static_cast<double>(step.outputs); }
    static size_t table_rows(const Step& step) {
        return static_cast<size_t>(step.settings[0]);
    }  // "categories"

    template <class T>
    static void backward(const Here<T>&, const Back<T>&) {}
};

struct Embedding : Table {
    static constexpr const char* name = "embedding";
    static constexpr Names settings = {{"categories", "units"}};

    template <class T>
    static const T* forward(const Here<T>& here, T* out) {
        const int64_t* x = static_cast<const int64_t*>(here.read[0]);
        const size_t units = here.step.columns;
        for (size_t i = 0; i < here.rows * here.step.inputs; ++i)
            memcpy(out + i * units, here.own + static_cast<size_t>(x[i]) * units, units * sizeof(T));
        return out;
    }

    // The largest number of table rows that `rows` of the rows in `order` can read.
    static size_t most_read(const Step& step, const Column&, const int64_t*, size_t, size_t rows) {
        return rows * step.inputs;
    }

    // Calls body(row of the table, factor, gradient) for each value, and may call ahead(row) for some before.
    template <class T, class Ahead, class Body>
    static void each_read(const Step& step, const Column& x, const int64_t* order, size_t rows, const T* grad,
                          Ahead, Body body) {
        const int64_t* values = static_cast<const int64_t*>(x.at);
        const size_t units = step.columns, width = step.inputs;
        for (size_t i = 0; i < rows; ++i)
            for (size_t j = 0; j < width; ++j)
                body(static_cast<size_t>(values[static_cast<size_t>(order[i]) * width + j]), T(1),
                     grad + (i * width + j) * units);
    }
};

struct EmbeddingBag : Table {
    static constexpr const char* name = "embedding_bag";
    static constexpr Names settings = {{"categories", "units", "mean"}};
    enum { categories, units, mean };

    template <class T>
    static const T* forward(const Here<T>& here, T* out) {
        const Bags<T>& bags = *static_cast<const Bags<T>*>(here.read[0]);
        const size_t width = here.step.outputs;
        for (size_t i = 0; i < here.rows; ++i) {
            T* to = out + i * width;
            memset(to, 0, width * sizeof(T));
            each_value<T>(
                here.step, bags.indices, bags.offsets, bags.weights, bags.row(i),
                [&](size_t row) { fetch(here.own + row * width, width); },
                [&](size_t row, T factor) { add_scaled<T>(width, here.own + row * width, factor, to); });
        }
        return out;
    }

    static size_t most_read(const Step&, const Column& x, const int64_t* order, size_t count, size_t rows) {
        size_t most = 0;
        for (size_t i = 0; i < count; ++i)
            most = larger(most, static_cast<size_t>(x.offsets[order[i] + 1] - x.offsets[order[i]]));
        return rows * most;
    }

    template <class T, class Ahead, class Body>
    static void each_read(const Step& step, const Column& x, const int64_t* order, size_t rows, const T* grad,
                          Ahead ahead, Body body) {
        for (size_t i = 0; i < rows; ++i)
            each_value<T>(step, static_cast<const int64_t*>(x.at), x.offsets,
                          static_cast<const T*>(x.weights), static_cast<size_t>(order[i]), ahead,
                          [&](size_t row, T factor) { body(row, factor, grad + i * step.outputs); });
    }

private:
    // Calls body(row of the table, factor) for each value in a bag, and ahead(row) for some before.
    template <class T, class Ahead, class Body>
    static void each_value(const Step& step, const int64_t* indices, const int64_t* offsets, const T* weights,
                           size_t bag, Ahead ahead, Body body) {
        const size_t begin = static_cast<size_t>(offsets[bag]), end = static_cast<size_t>(offsets[bag + 1]);
        T total = T(1);
        if (step.settings[mean] != 0) {
            total = T(0);
            for (size_t i = begin; i < end; ++i) total += weights ? __builtin_fabs(weights[i]) : T(1);
            if (!(total > T(0))) total = T(1);
        }
        for (size_t i = begin; i < end; ++i) {
            if (i + AHEAD < end) ahead(static_cast<size_t>(indices[i + AHEAD]));
            body(static_cast<size_t>(indices[i]), (weights ? weights[i] : T(1)) / total);
        }
    }
};

}  // namespace ganglion::GANGLION_ISA
