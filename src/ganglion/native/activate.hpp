// An activation as a layer of its own: z is what it reads, and what follows every step makes a of it.
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

    // Gives each number its gradient as it came.
    template <class T>
    static void pass_back(size_t count, const Back<T>& back) {
        if (back.grad_x[0] && back.grad_x[0] != back.grad)
            memcpy(back.grad_x[0], back.grad, count * sizeof(T));
    }
};

}  // namespace ganglion::GANGLION_ISA
