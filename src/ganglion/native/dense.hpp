// The dense layer: z = x W + b, a = f(z), and under it the gradients. W is (inputs, units), b follows it.
#pragma once

#include "activations.hpp"
#include "sharing.hpp"

namespace ganglion::GANGLION_ISA {

// A layer of so few units that most of a vector of them would be empty is worked out the other way round:
// unit by unit, with vectors along the rows or the inputs.
template <class T>
bool is_narrow_forward(const Layer& layer, size_t rows) {
    constexpr size_t L = lanes<T>;
    const size_t whole = (layer.inputs + L - 1) / L * L;
    const bool fits = layer.outputs * (L + layer.inputs) <= Workers<T>::panel_size;
    return fits && (layer.outputs == 1 || rows > FEW_ROWS) &&
           3 * layer.outputs * (whole + 3 * L) <= 2 * L * layer.inputs;
}

template <class T>
bool is_narrow_backward(const Layer& layer, size_t rows) {
    constexpr size_t L = lanes<T>;
    const size_t usual = layer.inputs * ((layer.outputs + L - 1) / L),
                 other = layer.outputs * ((layer.inputs + L - 1) / L);
    return rows > FEW_ROWS && 2 * other <= usual && layer.outputs * layer.inputs <= Workers<T>::panel_size;
}

constexpr auto nothing = [](size_t, size_t, size_t, size_t) {};

template <class T>
void dense_narrow(const Layer& layer, T* panel, size_t rows, const T* weight, const T* x, T* z) {
    const size_t inputs = layer.inputs, units = layer.outputs;
    const T* bias = weight + inputs * units;
    constexpr size_t at_once = lanes<T>;
    const T* by_unit = weight;
    if (units > 1) {
        by_unit = panel + units * at_once;
        turn<T>(inputs, units, weight, panel + units * at_once, false);
    }
    for (size_t i = 0; i < rows; i += at_once) {
        const size_t count = smaller(at_once, rows - i);
        T* to = units == 1 ? z + i : panel;
        scalar_products<T>(units, count, inputs, {by_unit, inputs, 1}, {x + i * inputs, inputs, true}, to,
                           count, nothing);
        if (units == 1)
            sweep<T>(count, [&](size_t r, auto part) { store(to + r, load(to + r, part) + bias[0], part); });
        else
            for (size_t r = 0; r < count; ++r)
                for (size_t j = 0; j < units; ++j) z[(i + r) * units + j] = panel[j * count + r] + bias[j];
    }
}

// Where `z` is null, the activation is taken in place.
template <class T>
void dense(const Layer& layer, Activation f, Workers<T> workers, size_t rows, const T* weight, const T* x,
           T* z, T* a) {
    const size_t units = layer.outputs;
    T* to = z ? z : a;
    const auto finish = [&](size_t i, size_t j, size_t count, size_t columns) {
        if (f.kind != ActivationKind::identity)
            activate<T>(f, {count, columns, units}, to + i * units + j, a + i * units + j);
    };
    if (is_narrow_forward<T>(layer, rows)) {
        dense_narrow<T>(layer, workers.panel(0), rows, weight, x, to);
        return finish(0, 0, rows, units);
    }
    Ends<T> ends = {weight + layer.inputs * units, 0};
    const auto multiply = [&](auto finish) {
        shared_product<T>(workers, Cut::columns, rows, units, layer.inputs, {x, layer.inputs, 1},
                          {weight, units, false}, ends, to, units, finish);
    };
    if (f.kind != ActivationKind::relu) return multiply(finish);
    ends.least = T(0);
    multiply(nothing);
}

// grad is that with respect to z. grad_weight and, after it, that of the bias are added to where `add`.
template <class T>
void dense_backward_parameters(const Layer& layer, Workers<T> workers, size_t rows, const T* x, const T* grad,
                               T* grad_weight, bool add) {
    const size_t inputs = layer.inputs, units = layer.outputs;
    sum_rows<T>(rows, units, grad, grad_weight + inputs * units, add);
    if (is_narrow_backward<T>(layer, rows)) {
        T* turned = units == 1 ? grad_weight : workers.panel(0);
        product<T>(units, 0, inputs, rows, {grad, 1, units}, {x, inputs, false},
                   {add && units == 1 ? grad_weight : nullptr, inputs}, turned, inputs, nullptr, nothing);
        if (units > 1) turn<T>(units, inputs, turned, grad_weight, add);
        return;
    }
    shared_product<T>(workers, Cut::rows, inputs, units, rows, {x, 1, inputs}, {grad, units, false},
                      {add ? grad_weight : nullptr, units}, grad_weight, units, nothing);
}

// grad_x = grad W'; `f` is the activation before this layer, whose derivative is taken in the same pass:
// `seen` is its z or a.
template <class T>
void dense_backward_inputs(const Layer& layer, Activation f, Workers<T> workers, size_t rows, const T* weight,
                           const T* seen, const T* grad, T* grad_x) {
    const size_t inputs = layer.inputs, units = layer.outputs;
    const auto finish = [&](size_t i, size_t j, size_t count, size_t columns) {
        if (f.kind != ActivationKind::identity)
            activate_backward<T>(f, {count, columns, inputs}, seen + i * inputs + j, grad_x + i * inputs + j);
    };
    const Left<T> left = {grad, units, 1};
    const Right<T> right = {weight, units == 1 ? inputs : units,
                            units > 1};  // one unit's weights are a row already
    if (rows <= FEW_ROWS && units > 1)
        return scalar_products<T>(rows, inputs, units, left, right, grad_x, inputs, finish);
    Ends<T> ends = {nullptr, 0};
    const auto multiply = [&](auto finish) {
        shared_product<T>(workers, Cut::columns, rows, inputs, units, left, right, ends, grad_x, inputs,
                          finish);
    };
    if (f.kind != ActivationKind::relu) return multiply(finish);
    ends.seen = seen;
    multiply(nothing);
}

}  // namespace ganglion::GANGLION_ISA
