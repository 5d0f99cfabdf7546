// An activation as a separate layer: z is its input; the code that follows every step applies the activation.
#pragma once

#include "layer.hpp"

namespace ganglion::GANGLION_ISA {

struct Activate : LayerKind {
    static constexpr const char* name = "activate";
    static constexpr bool passes = true;

    template <class T>
    static const T* forward(const Here<T>& here, T*) {
        return here.x();
    }

    template <class T>
    static void backward(const Here<T>& here, const Back<T>& back) {
        pass_back<T>(here.rows * here.step.outputs, back);
    }

    // Passes the gradient through unchanged.
    template <class T>
    static void pass_back(size_t count, const Back<T>& back) {
        if (back.grad_x[0] && back.grad_x[0] != back.grad)
            memcpy(back.grad_x[0], back.grad, count * sizeof(T));
    }
};

}  // namespace ganglion::GANGLION_ISA
