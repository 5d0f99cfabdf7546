// Activations: a = f(z), and below each the gradient with respect to z given the gradient with respect to a.
// The formulas are those of core/activations. To add one: write it, and add it to the list `Activations`.
#pragma once

#include "description.hpp"
#include "functions.hpp"

namespace ganglion::GANGLION_ISA {

// What backward reads: z or a, whichever is cheaper. The last argument is the setting: slope, alpha or
// unused.
enum class Needs { a, z };

struct ElementWise {
    static constexpr bool row_wise = false;
    static constexpr Names settings = {};
};

template <class T>
struct Identity : ElementWise {
    static constexpr const char* name = "identity";
    static constexpr Needs needs = Needs::a;
    static GANGLION_INLINE Vector<T> forward(Vector<T> z, T) { return z; }
    static GANGLION_INLINE Vector<T> backward(Vector<T> grad_a, Vector<T>, T) { return grad_a; }
};

template <class T>
struct Sigmoid : ElementWise {
    static constexpr const char* name = "sigmoid";
    static constexpr Needs needs = Needs::a;
    static GANGLION_INLINE Vector<T> forward(Vector<T> z, T) { return logistic<T>(z); }
    static GANGLION_INLINE Vector<T> backward(Vector<T> grad_a, Vector<T> a, T) {
        return grad_a * (a * (T(1) - a));
    }
};

template <class T>
struct Tanh : ElementWise {
    static constexpr const char* name = "tanh";
    static constexpr Needs needs = Needs::a;
    static GANGLION_INLINE Vector<T> forward(Vector<T> z, T) { return hyperbolic_tangent<T>(z); }
    static GANGLION_INLINE Vector<T> backward(Vector<T> grad_a, Vector<T> a, T) {
        return grad_a * (T(1) - a * a);
    }
};

template <class T>
struct ReLU : ElementWise {
    static constexpr const char* name = "relu";
    static constexpr Needs needs = Needs::a;
    static GANGLION_INLINE Vector<T> forward(Vector<T> z, T) { return z < T(0) ? Vector<T>{} : z; }
    static GANGLION_INLINE Vector<T> backward(Vector<T> grad_a, Vector<T> a, T) {
        return where_positive<T>(a, grad_a);
    }
};

template <class T>
struct LeakyReLU : ElementWise {
    static constexpr const char* name = "leaky_relu";
    static constexpr Names settings = {{"slope"}};
    static constexpr Needs needs = Needs::a;
    static GANGLION_INLINE Vector<T> forward(Vector<T> z, T slope) { return z > T(0) ? z : z * slope; }
    static GANGLION_INLINE Vector<T> backward(Vector<T> grad_a, Vector<T> a, T slope) {
        return a > T(0) ? grad_a : grad_a * slope;
    }
};

template <class T>
struct ELU : ElementWise {
    static constexpr const char* name = "elu";
    static constexpr Names settings = {{"alpha"}};
    static constexpr Needs needs = Needs::z;
    static GANGLION_INLINE Vector<T> forward(Vector<T> z, T alpha) {
        return z > T(0) ? z : exp_minus_1<T>(minimum<T>(z, Vector<T>{})) * alpha;
    }
    static GANGLION_INLINE Vector<T> backward(Vector<T> grad_a, Vector<T> z, T alpha) {
        return grad_a * (z > T(0) ? broadcast<T>(T(1)) : exponential<T>(minimum<T>(z, Vector<T>{})) * alpha);
    }
};

template <class T>
struct SELU : ElementWise {
    static constexpr const char* name = "selu";
    static constexpr Needs needs = Needs::z;
    static constexpr T alpha = T(1.6732632423543772848170429916717),
                       scale = T(1.0507009873554804934193349852946);
    static GANGLION_INLINE Vector<T> forward(Vector<T> z, T) { return ELU<T>::forward(z, alpha) * scale; }
    static GANGLION_INLINE Vector<T> backward(Vector<T> grad_a, Vector<T> z, T) {
        return ELU<T>::backward(grad_a, z, alpha) * scale;
    }
};

template <class T>
struct GELU : ElementWise {
    static constexpr const char* name = "gelu";
    static constexpr Needs needs = Needs::z;
    static GANGLION_INLINE Vector<T> forward(Vector<T> z, T) {
        return maximum<T>(z, broadcast<T>(T(-40))) * normal_cdf<T>(z);
    }
    static GANGLION_INLINE Vector<T> backward(Vector<T> grad_a, Vector<T> z, T) {
        const Vector<T> near = clamp<T>(z, T(-40), T(40));
        const Vector<T> density = exponential<T>(near * near * T(-0.5)) * T(0.39894228040143267794);
        return grad_a * (normal_cdf<T>(z) + near * density);
    }
};

template <class T>
struct GELUTanh : ElementWise {
    static constexpr const char* name = "gelu_tanh";
    static constexpr Needs needs = Needs::z;
    static constexpr T twice_root = T(1.59576912160573071176);  // 2 * sqrt(2 / pi)
    static GANGLION_INLINE Vector<T> gate(Vector<T> near) {
        return logistic<T>((near + near * near * near * T(0.044715)) * twice_root);
    }
    static GANGLION_INLINE Vector<T> forward(Vector<T> z, T) {
        return maximum<T>(z, broadcast<T>(T(-40))) * gate(clamp<T>(z, T(-40), T(40)));
    }
    static GANGLION_INLINE Vector<T> backward(Vector<T> grad_a, Vector<T> z, T) {
        const Vector<T> near = clamp<T>(z, T(-40), T(40)), s = gate(near);
        const Vector<T> slope = (near * near * T(3 * 0.044715) + T(1)) * twice_root;
        return grad_a * (s + near * s * (T(1) - s) * slope);
    }
};

template <class T>
struct SiLU : ElementWise {
    static constexpr const char* name = "silu";
    static constexpr Needs needs = Needs::z;
    static GANGLION_INLINE Vector<T> forward(Vector<T> z, T) {
        return maximum<T>(z, broadcast<T>(T(-800))) * logistic<T>(z);
    }
    static GANGLION_INLINE Vector<T> backward(Vector<T> grad_a, Vector<T> z, T) {
        const Vector<T> s = logistic<T>(z);
        return grad_a * (s + clamp<T>(z, T(-800), T(800)) * s * (T(1) - s));
    }
};

template <class T>
struct Softplus : ElementWise {
    static constexpr const char* name = "softplus";
    static constexpr Needs needs = Needs::z;
    static GANGLION_INLINE Vector<T> forward(Vector<T> z, T) {
        return maximum<T>(z, Vector<T>{}) + log_1_plus<T>(exponential<T>(-absolute<T>(z)));
    }
    static GANGLION_INLINE Vector<T> backward(Vector<T> grad_a, Vector<T> z, T) {
        return grad_a * logistic<T>(z);
    }
};

template <class T>
struct Mish : ElementWise {
    static constexpr const char* name = "mish";
    static constexpr Needs needs = Needs::z;
    static GANGLION_INLINE Vector<T> gate(Vector<T> z) {
        return hyperbolic_tangent<T>(Softplus<T>::forward(z, T(0)));
    }
    static GANGLION_INLINE Vector<T> forward(Vector<T> z, T) {
        return maximum<T>(z, broadcast<T>(T(-800))) * gate(z);
    }
    static GANGLION_INLINE Vector<T> backward(Vector<T> grad_a, Vector<T> z, T) {
        const Vector<T> t = gate(z), near = clamp<T>(z, T(-800), T(800));
        return grad_a * (t + near * (T(1) - t * t) * logistic<T>(z));
    }
};

template <class T>
struct HardSigmoid : ElementWise {
    static constexpr const char* name = "hard_sigmoid";
    static constexpr Needs needs = Needs::z;
    static GANGLION_INLINE Vector<T> forward(Vector<T> z, T) {
        return clamp<T>(z, T(-3), T(3)) / T(6) + T(0.5);
    }
    static GANGLION_INLINE Vector<T> backward(Vector<T> grad_a, Vector<T> z, T) {
        return absolute<T>(z) < T(3) ? grad_a / T(6) : Vector<T>{};
    }
};

template <class T>
struct Exp : ElementWise {
    static constexpr const char* name = "exp";
    static constexpr Needs needs = Needs::a;
    static GANGLION_INLINE Vector<T> forward(Vector<T> z, T) { return exponential<T>(z); }
    static GANGLION_INLINE Vector<T> backward(Vector<T> grad_a, Vector<T> a, T) { return grad_a * a; }
};

// A rectangle of z, a or grad: `rows` rows of `columns` numbers, `row` apart.
struct Area {
    size_t rows, columns, row;

    // The same area with as few rows as possible.
    Area merged() const { return columns == row ? Area{1, rows * columns, 0} : *this; }
};

// Softmax and its logarithm, row by row: each z minus the largest (0 for the largest itself, even if it is
// infinite), exponentials, their sum. One function for both, so that both round identically.
template <class T>
void softmax(bool logarithmic, Area area, const T* z, T* a) {
    for (size_t i = 0; i < area.rows; ++i) {
        const T* from = z + i * area.row;
        T* to = a + i * area.row;
        T most = from[0];
        for (size_t j = 1; j < area.columns; ++j)
            if (from[j] > most || from[j] != from[j]) most = from[j];
        Vector<T> sums{};
        sweep<T>(area.columns, [&](size_t j, auto part) {
            const Vector<T> value = load(from + j, part);
            const Vector<T> below = value == most ? Vector<T>{} : value - most;
            const Vector<T> power = exponential<T>(below);
            sums += masked<T>(power, part, T(0));
            store(to + j, logarithmic ? below : power, part);
        });
        const T total = sum<T>(sums);
        const T log_total = logarithm<T>(broadcast<T>(total))[0];
        sweep<T>(area.columns, [&](size_t j, auto part) {
            const Vector<T> value = load(to + j, part);
            store(to + j, logarithmic ? value - log_total : value / total, part);
        });
    }
}

template <class T>
void softmax_backward(bool logarithmic, Area area, const T* a, T* grad) {
    for (size_t i = 0; i < area.rows; ++i) {
        const T* out = a + i * area.row;
        T* g = grad + i * area.row;
        Vector<T> sums{};
        sweep<T>(area.columns, [&](size_t j, auto part) {
            const Vector<T> value = load(g + j, part);
            sums += logarithmic ? value : value * load(out + j, part);
        });
        const T total = sum<T>(sums);
        sweep<T>(area.columns, [&](size_t j, auto part) {
            const Vector<T> value = load(g + j, part), of = load(out + j, part);
            store(g + j, logarithmic ? value - exponential<T>(of) * total : of * (value - total), part);
        });
    }
}

struct RowWise {
    static constexpr bool row_wise = true;
    static constexpr Names settings = {};
    static constexpr Needs needs = Needs::a;
};

template <class T>
struct Softmax : RowWise {
    static constexpr const char* name = "softmax";
};

template <class T>
struct LogSoftmax : RowWise {
    static constexpr const char* name = "log_softmax";
};

// Divides the columns into sections, each with an activation whose backward reads a.
template <class T>
struct Sections : RowWise {
    static constexpr const char* name = "sections";
};

template <class T>
using Activations =
    List<Identity<T>, ReLU<T>, Sigmoid<T>, Tanh<T>, LeakyReLU<T>, ELU<T>, SELU<T>, GELU<T>, GELUTanh<T>,
         SiLU<T>, Mish<T>, Softplus<T>, HardSigmoid<T>, Exp<T>, Softmax<T>, LogSoftmax<T>, Sections<T>>;

constexpr Activation IDENTITY = {place_in<Identity<float>>(Activations<float>{}), 0};
constexpr int RELU = place_in<ReLU<float>>(Activations<float>{});

inline bool is_identity(Activation f) { return f.kind == IDENTITY.kind; }
inline bool is_relu(Activation f) { return f.kind == RELU; }

// What is asked of every step, looked up rather than dispatched.
template <class... Each>
constexpr bool NEEDS_Z[] = {(Each::needs == Needs::z)...};
template <class... Each>
constexpr bool ROW_WISE[] = {Each::row_wise...};

template <class... Each>
bool needs_z(List<Each...>, int kind) {
    return NEEDS_Z<Each...>[kind];
}
template <class... Each>
bool is_row_wise(List<Each...>, int kind) {
    return ROW_WISE<Each...>[kind];
}

inline bool needs_z(Activation f) { return needs_z(Activations<float>{}, f.kind); }
inline bool is_row_wise(Activation f) { return is_row_wise(Activations<float>{}, f.kind); }

inline bool is_logarithmic(Activation f) {
    return f.kind == place_in<LogSoftmax<float>>(Activations<float>{});
}

// Calls body(activation, area, first column) for each section of an activation that has them.
template <class Body>
void each_section(Activation f, Area area, Body body) {
    size_t first = 0;
    for (size_t s = 0; s < f.section_count; first += f.sections[s++].columns)
        body(f.sections[s].activation, Area{area.rows, f.sections[s].columns, area.row}, first);
}

// a = f(z). The two may be the same array.
template <class T>
void activate(Activation f, Area area, const T* z, T* a) {
    if (f.sections)
        return each_section(f, area, [&](Activation own, Area part, size_t first) {
            activate<T>(own, part, z + first, a + first);
        });
    if (is_row_wise(f)) return softmax<T>(is_logarithmic(f), area, z, a);
    area = area.merged();
    with_kind(Activations<T>{}, f.kind, [&](auto chosen) {
        if constexpr (!chosen.row_wise)
            for (size_t i = 0; i < area.rows; ++i)
                sweep<T>(area.columns, [&](size_t j, auto part) {
                    const size_t at = i * area.row + j;
                    store(a + at, chosen.forward(load(z + at, part), T(f.setting)), part);
                });
    });
}

// Turns `grad` into the gradient with respect to z; `seen` is z or a, as the activation needs.
template <class T>
void activate_backward(Activation f, Area area, const T* seen, T* grad) {
    if (f.sections)
        return each_section(f, area, [&](Activation own, Area part, size_t first) {
            activate_backward<T>(own, part, seen + first, grad + first);
        });
    if (is_row_wise(f)) return softmax_backward<T>(is_logarithmic(f), area, seen, grad);
    area = area.merged();
    with_kind(Activations<T>{}, f.kind, [&](auto chosen) {
        if constexpr (!chosen.row_wise)
            for (size_t i = 0; i < area.rows; ++i)
                sweep<T>(area.columns, [&](size_t j, auto part) {
                    const size_t at = i * area.row + j;
                    store(grad + at,
                          chosen.backward(load(grad + at, part), load(seen + at, part), T(f.setting)), part);
                });
    });
}

}  // namespace ganglion::GANGLION_ISA
