// The dense layer: z = x W + b, a = f(z), and below it the gradients. W is (inputs, units), followed by b.
#pragma once

#include "layer.hpp"

namespace ganglion::GANGLION_ISA {

// If a layer has so few units that a vector along them would be mostly empty, it is computed unit by unit,
// with vectors along the rows or the inputs.
template <class T>
bool is_narrow_forward(size_t inputs, size_t units, size_t rows) {
    constexpr size_t L = lanes<T>;
    const size_t whole = (inputs + L - 1) / L * L;
    const bool fits = units * (L + inputs) <= Workers<T>::panel_size;
    return fits && (units == 1 || rows > FEW_ROWS) && 3 * units * (whole + 3 * L) <= 2 * L * inputs;
}

template <class T>
bool is_narrow_backward(size_t inputs, size_t units, size_t rows) {
    constexpr size_t L = lanes<T>;
    const size_t usual = inputs * ((units + L - 1) / L), other = units * ((inputs + L - 1) / L);
    return rows > FEW_ROWS && 2 * other <= usual && units * inputs <= Workers<T>::panel_size;
}

template <class T>
void dense_narrow(size_t inputs, size_t units, T* panel, size_t rows, const T* weight, const T* x, T* z) {
    const T* bias = weight + inputs * units;
    constexpr size_t at_once = lanes<T>;
    const T* by_unit = weight;
    if (units > 1) {
        by_unit = panel + units * at_once;
        transpose_into<T>(inputs, units, weight, panel + units * at_once, false);
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

// Writes the gradient of the weight to `grad_weight`, followed by that of the bias; adds to them if `add`.
template <class T>
void dense_backward_parameters(size_t inputs, size_t units, Workers<T> workers, size_t rows, const T* x,
                               const T* grad, T* grad_weight, bool add) {
    sum_rows<T>(rows, units, grad, grad_weight + inputs * units, add);
    if (is_narrow_backward<T>(inputs, units, rows)) {
        T* transposed = units == 1 ? grad_weight : workers.panel(0);
        product<T>(units, 0, inputs, rows, {grad, 1, units}, {x, inputs, false},
                   {add && units == 1 ? grad_weight : nullptr, inputs}, transposed, inputs,
                   static_cast<T*>(nullptr), Epilogue<T>{}, nothing);
        if (units > 1) transpose_into<T>(units, inputs, transposed, grad_weight, add);
        return;
    }
    shared_product<T>(workers, Cut::rows, inputs, units, rows, {x, 1, inputs}, {grad, units, false},
                      {add ? grad_weight : nullptr, units}, grad_weight, units, Epilogue<T>{}, nothing);
}

struct Dense : LayerKind {
    static constexpr const char* name = "dense";
    static constexpr Names settings = {{"units"}};
    static constexpr bool in_place = false, takes_activation = true, takes_derivative = true,
                          is_product = true;

    static double work(const Step& step) {
        return 2.0 * static_cast<double>(step.inputs + 1) * static_cast<double>(step.outputs);
    }
    static size_t product(const Step& step) { return step.inputs * step.outputs; }

    // If `z` is null, the activation is applied in place.
    template <class T>
    static void forward(const Here<T>& here, T* z, T* a) {
        const size_t inputs = here.step.inputs, units = here.step.outputs, rows = here.rows;
        const Activation f = here.activation;
        const bool whole_rows = is_row_wise(f);  // needs whole rows, which a tile does not hold
        T* to = z ? z : a;
        const auto finish = [&](size_t i, size_t j, size_t count, size_t columns) {
            if (!is_identity(f) && !whole_rows)
                activate<T>(f, {count, columns, units}, to + i * units + j, a + i * units + j);
        };
        const auto multiply = [&](auto epilogue, auto finish) {
            shared_product<T>(here.workers, Cut::columns, rows, units, inputs, {here.x(), inputs, 1},
                              {here.own, units, false}, {here.own + inputs * units, 0}, to, units, epilogue,
                              finish);
        };
        if (is_narrow_forward<T>(inputs, units, rows)) {
            dense_narrow<T>(inputs, units, here.workers.panel(0), rows, here.own, here.x(), to);
            finish(0, 0, rows, units);
        } else if (is_relu(f)) {
            multiply(Epilogue<T>{Epilogue<T>::not_below_zero}, nothing);
        } else {
            multiply(Epilogue<T>{}, finish);
        }
        if (whole_rows) activate<T>(f, {rows, units, units}, to, a);
    }

    template <class T>
    static void backward(const Here<T>& here, const Back<T>& back) {
        const size_t inputs = here.step.inputs, units = here.step.outputs, rows = here.rows;
        if (back.gradient)
            dense_backward_parameters<T>(inputs, units, here.workers, rows, here.x(), back.grad,
                                         back.gradient, back.add);
        if (back.grad_x[0]) backward_inputs(here, back, inputs, units, rows);
    }

private:
    // grad_x = grad W'
    template <class T>
    static void backward_inputs(const Here<T>& here, const Back<T>& back, size_t inputs, size_t units,
                                size_t rows) {
        const Activation f = back.before;
        T* grad_x = back.grad_x[0];
        const auto finish = [&](size_t i, size_t j, size_t count, size_t columns) {
            if (!is_identity(f))
                activate_backward<T>(f, {count, columns, inputs}, back.seen + i * inputs + j,
                                     grad_x + i * inputs + j);
        };
        const Left<T> left = {back.grad, units, 1};
        const Right<T> right = {here.own, units == 1 ? inputs : units,
                                units > 1};  // one unit's weights are a row already
        if (rows <= FEW_ROWS && units > 1)
            return scalar_products<T>(rows, inputs, units, left, right, grad_x, inputs, finish);
        const auto multiply = [&](auto epilogue, auto finish) {
            shared_product<T>(here.workers, Cut::columns, rows, inputs, units, left, right, {nullptr, 0},
                              grad_x, inputs, epilogue, finish);
        };
        if (is_relu(f)) multiply(Epilogue<T>{Epilogue<T>::where_positive, back.seen}, nothing);
        else multiply(Epilogue<T>{}, finish);
    }
};

}  // namespace ganglion::GANGLION_ISA
