// The interface of kinds of layers. A family's header has one struct for each of its kinds, with defaults
// from `LayerKind`:
//
//     name, settings           as in core/layers; `step.settings[i]` is the value of settings.at[i]
//     forward(here, out)       computes z for some rows, in `out` or in its input; returns where
//     backward(here, back)     computes the gradients of its inputs and of its parameters
//     work, product, room      of a step: operations per row, size of its weight, numbers kept for backward
//
// To add a kind: write it in its family's header, add it to the list in layers.hpp.
#pragma once

#include "activations.hpp"
#include "sharing.hpp"

namespace ganglion::GANGLION_ISA {

// The arguments of one step for some rows.
template <class T>
struct Here {
    const Step& step;
    Activation activation;  // follows the step; IDENTITY if the loss applies it
    const T *own, *state;   // the step's parameters and state
    const void* const* read;
    T* room;
    size_t rows, first;  // `first`: the index of the first row in its batch
    bool training;
    uint64_t seed, update;
    Workers<T> workers;

    const T* x(size_t which = 0) const { return static_cast<const T*>(read[which]); }
};

// The arguments of a step's backward pass. `grad` is the gradient with respect to z. grad_x[k] is null if it
// is not needed; grad_x[0] may be the same array as `grad` if the kind works in place. `gradient` is that of
// the parameters; backward adds to it if `add`.
template <class T>
struct Back {
    T* grad;
    T* const* grad_x;
    T* gradient;
    bool add;
    const T* a;         // the output of the step, if it has an activation
    Activation before;  // the activation whose derivative a kind that takes it applies to grad_x[0],
    const T* seen;      // and its z or a
};

struct LayerKind {
    static constexpr Names settings = {};
    static constexpr bool passes = false;            // the output is the input, not a copy
    static constexpr bool in_place = true;           // grad_x[0] may be the same array as grad
    static constexpr bool takes_activation = false;  // forward applies here.activation too: z, then a
    static constexpr bool takes_derivative = false;  // backward applies the derivative of back.before
    static constexpr bool uses_batch = false;        // in training, a row's output depends on the batch
    static constexpr bool is_product = false;        // the gradient for one row is x times grad, then grad
    static constexpr bool row_by_row = false;        // its products are of one row each
    static constexpr bool row_sparse = false;        // its parameters are a table, read by rows
    static constexpr bool has_state = false;         // updates running averages

    static double work(const Step&) { return 0; }
    static size_t product(const Step&) { return 0; }
    template <class T>
    static size_t room(const Step&, size_t) {
        return 0;
    }
};

// `count` rounded up to whole cache lines.
template <class T>
constexpr size_t whole_lines(size_t count) {
    constexpr size_t line = 64 / sizeof(T);
    return (count + line - 1) / line * line;
}

}  // namespace ganglion::GANGLION_ISA
