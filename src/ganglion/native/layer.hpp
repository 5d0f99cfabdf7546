// What every kind of layer is to the engine. A family's header holds one struct for each of its kinds, which
// takes what it does not say itself from `LayerKind`:
//
//     name, settings           as in core/layers; `step.settings[i]` holds the number of settings.at[i]
//     forward(here, out)       z for some rows, in `out` or where it reads them; returns where
//     backward(here, back)     the gradients of what it reads, and of its parameters
//     work, product, room      of a step: operations a row, numbers of its weight, numbers that it keeps
//
// To add a kind: write it in its family's header, add it to the list in layers.hpp.
#pragma once

#include "activations.hpp"
#include "sharing.hpp"

namespace ganglion::GANGLION_ISA {

// One step's work on some rows.
template <class T>
struct Here {
    const Step& step;
    Activation activation;  // that follows; IDENTITY where it is left to the loss
    const T *own, *state;   // its parameters and its state
    const void* const* read;
    T* room;
    size_t rows, first;  // `first`: the place of the first row in its batch
    bool training;
    uint64_t seed, update;
    Workers<T> workers;

    const T* x(size_t which = 0) const { return static_cast<const T*>(read[which]); }
};

// What a step's backward pass works on. `grad` is the gradient with respect to z. grad_x[k], null where it is
// not wanted, may be the same array as `grad` for k = 0 if the kind works in place. `gradient` is that of its
// parameters, which is added to where `add`.
template <class T>
struct Back {
    T* grad;
    T* const* grad_x;
    T* gradient;
    bool add;
    const T* a;         // what the step gave, where it has an activation
    Activation before;  // the activation whose derivative a kind that takes it applies to grad_x[0],
    const T* seen;      // and its z or a
};

struct LayerKind {
    static constexpr Names settings = {};
    static constexpr bool passes = false;            // gives what it reads, without a copy
    static constexpr bool in_place = true;           // grad_x[0] may take the place of grad
    static constexpr bool takes_activation = false;  // forward takes here.activation too, z then a
    static constexpr bool takes_derivative = false;  // backward takes back.before
    static constexpr bool uses_batch = false;        // looks at all rows of a batch while training
    static constexpr bool is_product = false;        // the gradient over one row is x times grad, then grad
    static constexpr bool row_sparse = false;        // its parameters are rows, of which it reads a few
    static constexpr bool has_state = false;         // keeps running averages

    static double work(const Step&) { return 0; }
    static size_t product(const Step&) { return 0; }
    template <class T>
    static size_t room(const Step&, size_t) {
        return 0;
    }
};

// Numbers up to the next line of the cache.
template <class T>
constexpr size_t whole_lines(size_t count) {
    constexpr size_t line = 64 / sizeof(T);
    return (count + line - 1) / line * line;
}

}  // namespace ganglion::GANGLION_ISA
