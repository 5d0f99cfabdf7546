// Losses: value and slope together, elementwise; averages over outputs and rows are computed in one place.
// The formulas are those of core/losses; `a` is the activation, or the pre-activation z of a partner.
#pragma once

#include "activations.hpp"
#include "matrix.hpp"

namespace ganglion::GANGLION_ISA {

template <class T>
struct Both {
    Vector<T> value, slope;
};

template <class T>
GANGLION_INLINE Vector<T> sign(Vector<T> x) {
    return x > T(0) ? broadcast<T>(T(1)) : (x < T(0) ? broadcast<T>(T(-1)) : x);
}

template <class T>
struct MeanSquaredError {
    static GANGLION_INLINE Both<T> both(Vector<T> a, Vector<T> y, T, T) {
        const Vector<T> error = a - y;
        return {error * error, error * T(2)};
    }
};

template <class T>
struct MeanAbsoluteError {
    static GANGLION_INLINE Both<T> both(Vector<T> a, Vector<T> y, T, T) {
        const Vector<T> error = a - y;
        return {absolute<T>(error), sign<T>(error)};
    }
};

template <class T>
struct Huber {
    static GANGLION_INLINE Both<T> both(Vector<T> a, Vector<T> y, T delta, T) {
        const Vector<T> error = a - y, slope = clamp<T>(error, -delta, delta);
        return {slope * (error - slope * T(0.5)), slope};
    }
};

template <class T>
struct LogCosh {
    static GANGLION_INLINE Both<T> both(Vector<T> a, Vector<T> y, T, T) {
        const Vector<T> error = a - y, size = absolute<T>(error);
        // log(cosh(e)) = |e| + log(1 + exp(-2 |e|)) - log(2) loses precision near 0, where
        // log(1 + t**2 / (2 (1 + t))) with t = exp(|e|) - 1 does not
        const Vector<T> t = exp_minus_1<T>(minimum<T>(size, broadcast<T>(T(1))));
        const Vector<T> near = log_1_plus<T>(t * t / (t * T(2) + T(2)));
        const Vector<T> far = size + log_1_plus<T>(exponential<T>(size * T(-2))) - T(0.69314718055994530942);
        return {size < T(1) ? near : far, hyperbolic_tangent<T>(error)};
    }
};

template <class T>
struct BinaryCrossEntropy {
    static GANGLION_INLINE Both<T> both(Vector<T> a, Vector<T> y, T smoothing, T) {
        y = y * (T(1) - smoothing) + smoothing * T(0.5);
        const Vector<T> yes = maximum<T>(a, broadcast<T>(Format<T>::tiny)),
                        no = maximum<T>(T(1) - a, broadcast<T>(Format<T>::tiny));
        return {-(y * logarithm<T>(yes) + (T(1) - y) * logarithm<T>(no)), (T(1) - y) / no - y / yes};
    }
};

template <class T>
struct BinaryCrossEntropyFromZ {
    static GANGLION_INLINE Both<T> both(Vector<T> z, Vector<T> y, T smoothing, T) {
        y = y * (T(1) - smoothing) + smoothing * T(0.5);
        const Vector<T> softplus = Softplus<T>::forward(z, T(0));
        return {softplus - z * y, logistic<T>(z) - y};
    }
};

// The value is computed from clipped probabilities, the slope from the probability itself.
template <class T>
struct BinaryCrossEntropyClipped {
    static GANGLION_INLINE Both<T> both(Vector<T> z, Vector<T> y, T smoothing, T clip) {
        y = y * (T(1) - smoothing) + smoothing * T(0.5);
        const Vector<T> a = logistic<T>(z), p = clamp<T>(a, clip, T(1) - clip);
        return {-(y * logarithm<T>(p) + (T(1) - y) * logarithm<T>(T(1) - p)), a - y};
    }
};

template <class T>
struct Poisson {
    static GANGLION_INLINE Both<T> both(Vector<T> a, Vector<T> y, T, T) {
        const Vector<T> positive = maximum<T>(a, broadcast<T>(Format<T>::tiny));
        return {a - y * logarithm<T>(positive), T(1) - y / positive};
    }
};

template <class T>
struct PoissonFromZ {
    static GANGLION_INLINE Both<T> both(Vector<T> z, Vector<T> y, T, T) {
        const Vector<T> a = exponential<T>(z);
        return {a - y * z, a - y};
    }
};

template <class T>
struct Quantile {
    static GANGLION_INLINE Both<T> both(Vector<T> a, Vector<T> y, T quantile, T) {
        const Vector<T> error = a - y;
        const Vector<T> slope =
            error > T(0) ? broadcast<T>(T(1) - quantile) : (error < T(0) ? broadcast<T>(-quantile) : error);
        return {slope * error, slope};
    }
};

template <class T>
struct Hinge {
    static GANGLION_INLINE Both<T> both(Vector<T> a, Vector<T> y, T, T) {
        const Vector<T> margin = T(1) - y * a;
        return {maximum<T>(margin, Vector<T>{}), margin > T(0) ? -y : Vector<T>{}};
    }
};

// A kind of loss: its settings, the first of which is "factor", and its elementwise functions: `Element` of
// the activation, `FromZ` of the pre-activation of a partner.
template <class Element, class FromZ = Element>
struct ElementWiseLoss {
    static constexpr bool over_classes = false;
    static constexpr Names settings = {{"factor"}};

    // Calls body with the elementwise function and its two settings.
    template <class T, class Body>
    static GANGLION_INLINE void with(const Loss& loss, Body body) {
        loss.from_z ? body(FromZ{}, T(0), T(0)) : body(Element{}, T(0), T(0));
    }
};

template <class T>
struct MeanSquaredErrorKind : ElementWiseLoss<MeanSquaredError<T>> {
    static constexpr const char* name = "mse";
};

template <class T>
struct MeanAbsoluteErrorKind : ElementWiseLoss<MeanAbsoluteError<T>> {
    static constexpr const char* name = "mae";
};

template <class T>
struct LogCoshKind : ElementWiseLoss<LogCosh<T>> {
    static constexpr const char* name = "log_cosh";
};

template <class T>
struct PoissonKind : ElementWiseLoss<Poisson<T>, PoissonFromZ<T>> {
    static constexpr const char* name = "poisson";
};

template <class T>
struct HingeKind : ElementWiseLoss<Hinge<T>> {
    static constexpr const char* name = "hinge";
};

template <class T>
struct HuberKind : ElementWiseLoss<Huber<T>> {
    static constexpr const char* name = "huber";
    static constexpr Names settings = {{"factor", "delta"}};

    template <class, class Body>
    static GANGLION_INLINE void with(const Loss& loss, Body body) {
        body(Huber<T>{}, T(loss.settings[1]), T(0));
    }
};

template <class T>
struct QuantileKind : ElementWiseLoss<Quantile<T>> {
    static constexpr const char* name = "quantile";
    static constexpr Names settings = {{"factor", "quantile"}};

    template <class, class Body>
    static GANGLION_INLINE void with(const Loss& loss, Body body) {
        body(Quantile<T>{}, T(loss.settings[1]), T(0));
    }
};

template <class T>
struct BinaryCrossEntropyKind : ElementWiseLoss<BinaryCrossEntropy<T>> {
    static constexpr const char* name = "binary_cross_entropy";
    static constexpr Names settings = {{"factor", "label_smoothing", "clip"}};

    template <class, class Body>
    static GANGLION_INLINE void with(const Loss& loss, Body body) {
        const T smoothing = T(loss.settings[1]), clip = T(loss.settings[2]);
        if (!loss.from_z) body(BinaryCrossEntropy<T>{}, smoothing, clip);
        else if (clip == 0) body(BinaryCrossEntropyFromZ<T>{}, smoothing, clip);
        else body(BinaryCrossEntropyClipped<T>{}, smoothing, clip);
    }
};

template <class T>
struct CrossEntropyKind {
    static constexpr bool over_classes = true;
    static constexpr const char* name = "cross_entropy";
    static constexpr Names settings = {{"factor", "label_smoothing", "clip"}};
};

// The sum of the losses of sections of the outputs.
template <class T>
struct JointKind {
    static constexpr bool over_classes = false;
    static constexpr const char* name = "joint";
    static constexpr Names settings = {{"factor"}};
};

template <class T>
using Losses = List<MeanSquaredErrorKind<T>, MeanAbsoluteErrorKind<T>, HuberKind<T>, LogCoshKind<T>,
                    BinaryCrossEntropyKind<T>, CrossEntropyKind<T>, PoissonKind<T>, QuantileKind<T>,
                    HingeKind<T>, JointKind<T>>;

inline double factor_of(const Loss& loss) { return loss.settings[0]; }

// The settings of cross entropy.
struct Classes {
    bool from_z;
    double smoothing, clip;
};

// Cross entropy of clipped probabilities, which are in `slope`, not yet divided by their total.
template <class T>
T clipped_cross_entropy(Classes loss, size_t classes, T total, const T* y, T* slope, T weight) {
    const T keep = T(1) - T(loss.smoothing), clip = T(loss.clip);
    const T spread = T(loss.smoothing) / T(classes) * weight;
    Vector<T> value{};
    sweep<T>(classes, [&](size_t j, auto part) {
        const Vector<T> p = load(slope + j, part) / total, target = load(y + j, part) * keep + spread;
        value -= masked<T>(target * logarithm<T>(clamp<T>(p, clip, T(1) - clip)), part, T(0));
        store(slope + j, p * weight - target, part);
    });
    return sum<T>(value);
}

// -sum_k y_k * log(a_k) of one row, where `a` is a itself or, if from_z, z of the softmax; writes the
// gradient to `slope`. The targets sum to `weight`, by which the row counts.
template <class T>
T cross_entropy(Classes loss, size_t classes, const T* a, const T* y, T* slope, T weight = 1) {
    const T keep = T(1) - T(loss.smoothing), spread = T(loss.smoothing) / T(classes) * weight;
    Vector<T> value{};
    if (!loss.from_z) {
        sweep<T>(classes, [&](size_t j, auto part) {
            const Vector<T> p = maximum<T>(load(a + j, part), broadcast<T>(Format<T>::tiny));
            const Vector<T> target = load(y + j, part) * keep + spread;
            value -= masked<T>(target * logarithm<T>(p), part, T(0));
            store(slope + j, -target / p, part);
        });
        return sum<T>(value);
    }
    T most = a[0];
    for (size_t j = 1; j < classes; ++j)
        if (a[j] > most || a[j] != a[j]) most = a[j];
    Vector<T> powers{};
    sweep<T>(classes, [&](size_t j, auto part) {
        const Vector<T> z = load(a + j, part);
        const Vector<T> power = exponential<T>(z == most ? Vector<T>{} : z - most);
        powers += masked<T>(power, part, T(0));
        store(slope + j, power, part);
    });
    const T total = sum<T>(powers);
    if (loss.clip != 0) return clipped_cross_entropy<T>(loss, classes, total, y, slope, weight);
    const T log_total = logarithm<T>(broadcast<T>(total))[0];
    sweep<T>(classes, [&](size_t j, auto part) {
        const Vector<T> z = load(a + j, part);
        const Vector<T> log_p = (z == most ? Vector<T>{} : z - most) - log_total;
        const Vector<T> target = load(y + j, part) * keep + spread;
        // a target of 0 adds nothing, even if the logarithm is minus infinity
        const Vector<T> term =
            target == T(0) ? Vector<T>{} : target * maximum<T>(log_p, broadcast<T>(-Format<T>::largest));
        value -= masked<T>(term, part, T(0));
        store(slope + j, load(slope + j, part) / total * weight - target, part);
    });
    return sum<T>(value);
}

constexpr size_t CLASSES_AT_ONCE = 4;  // vectors full of them

// Transposes `count` rows, at most as many as there are lanes: each class becomes a vector, each row a lane.
// Unused lanes repeat the first row.
template <class T>
GANGLION_INLINE void by_class(size_t count, size_t classes, const T* from, Vector<T>* of_class) {
    constexpr size_t L = lanes<T>;
    for (size_t first = 0; first < classes; first += L) {
        const First part = {smaller(L, classes - first)};
        for (size_t i = 0; i < L; ++i)
            of_class[first + i] = load(from + (i < count ? i : 0) * classes + first, part);
        transpose<T>(of_class + first);
    }
}

// The same from z for `count` rows at once. If each row's target is a single class, one logarithm per row is
// enough.
template <class T>
GANGLION_INLINE void cross_entropies(Classes loss, T factor, size_t count, size_t classes, const T* z,
                                     const T* y, T* values, T scale, T* grad) {
    constexpr size_t L = lanes<T>;
    const T keep = T(1) - T(loss.smoothing), spread = T(loss.smoothing) / T(classes), clip = T(loss.clip);
    Vector<T> below[CLASSES_AT_ONCE * L], target[CLASSES_AT_ONCE * L], power[CLASSES_AT_ONCE * L];
    by_class<T>(count, classes, z, below);
    by_class<T>(count, classes, y, target);
    Vector<T> most = below[0], total{}, targets{}, squares{}, chosen{}, chosen_below{};
    for (size_t k = 1; k < classes; ++k) most = maximum<T>(most, below[k]);
    for (size_t k = 0; k < classes; ++k) {
        below[k] = below[k] == most ? Vector<T>{} : below[k] - most;
        power[k] = exponential<T>(below[k]);
        total += power[k];
        target[k] = target[k] * keep + spread;
        targets += target[k];
        squares += target[k] * target[k];
        chosen += target[k] * power[k];
        chosen_below += target[k] == T(0)
                            ? Vector<T>{}
                            : target[k] * maximum<T>(below[k], broadcast<T>(-Format<T>::largest));
    }
    const Vector<T> log_total = logarithm<T>(total), over_total = scale / total;
    const auto clipped = [=](Vector<T> p) { return clamp<T>(p, clip, T(1) - clip); };
    Vector<T> value{};
    if (sum<T>(targets == T(1) ? Vector<T>{} : broadcast<T>(1)) +
            sum<T>(squares == T(1) ? Vector<T>{} : broadcast<T>(1)) ==
        0)
        value = clip != 0 ? -logarithm<T>(clipped(chosen / total)) : log_total - chosen_below;
    else
        for (size_t k = 0; k < classes; ++k) {
            const Vector<T> log_p = clip != 0
                                        ? logarithm<T>(clipped(power[k] / total))
                                        : maximum<T>(below[k] - log_total, broadcast<T>(-Format<T>::largest));
            value -= target[k] == T(0) ? Vector<T>{} : target[k] * log_p;
        }
    for (size_t k = 0; k < classes; ++k) power[k] = power[k] * over_total - target[k] * scale;
    for (size_t first = 0; first < classes; first += L) {
        const First part = {smaller(L, classes - first)};
        for (size_t k = classes; k < first + L; ++k) power[k] = Vector<T>{};
        transpose<T>(power + first);
        for (size_t i = 0; i < count; ++i) store(grad + i * classes + first, power[first + i], part);
    }
    value = value * factor;
    if (count == L) store(values, value, Whole{});
    else store(values, value, First{count});
}

// The loss of one row in a section of classes, and its gradient: 0 if the row has no target there.
template <class T>
T section_loss(CrossEntropyKind<T>, const Loss& loss, size_t columns, const T* a, const T* y, T* grad) {
    T weight = 0;
    for (size_t j = 0; j < columns; ++j) weight += y[j];
    if (weight == T(0)) {
        memset(grad, 0, columns * sizeof(T));
        return 0;
    }
    return cross_entropy<T>({loss.from_z, loss.settings[1], loss.settings[2]}, columns, a, y, grad, weight);
}

// The same in a section of numbers, where a missing target is NaN.
template <class T, class Kind>
T section_loss(Kind kind, const Loss& loss, size_t columns, const T* a, const T* y, T* grad) {
    T missing = 0;
    for (size_t j = 0; j < columns; ++j) missing += y[j] != y[j] ? T(1) : T(0);
    if (missing != T(0)) {
        memset(grad, 0, columns * sizeof(T));
        return 0;
    }
    Vector<T> value{};
    kind.template with<T>(loss, [&](auto chosen, T first, T second) {
        sweep<T>(columns, [&](size_t j, auto part) {
            const Both<T> both = chosen.both(load(a + j, part), load(y + j, part), first, second);
            value += masked<T>(both.value, part, T(0));
            store(grad + j, both.slope / T(columns), part);
        });
    });
    return sum<T>(value) / T(columns);
}

// The losses of rows in all sections, and their gradients times `each`.
template <class T>
void joint_losses(const Loss& loss, size_t rows, size_t outputs, const T* a, const T* y, T each, T* values,
                  T* grad) {
    memset(values, 0, rows * sizeof(T));
    size_t start = 0;
    for (size_t s = 0; s < loss.section_count; start += loss.sections[s++].columns) {
        const Loss& own = loss.sections[s].loss;
        const size_t columns = loss.sections[s].columns;
        const T factor = T(factor_of(own)) * T(factor_of(loss)), scale = each * factor;
        with_kind(Losses<T>{}, own.kind, [&](auto kind) {
            if constexpr (!same<decltype(kind), JointKind<T>>)
                for (size_t i = 0; i < rows; ++i) {
                    const size_t at = i * outputs + start;
                    values[i] += section_loss<T>(kind, own, columns, a + at, y + at, grad + at) * factor;
                    sweep<T>(columns, [&](size_t j, auto part) {
                        store(grad + at + j, load(grad + at + j, part) * scale, part);
                    });
                }
        });
    }
}

// Writes the loss of each row, or of each output if these are averaged later, to `values`, and the gradient
// of each row's loss times `each` to `grad`. A row has `outputs` numbers; their last axis has `columns`.
template <class T>
void losses_and_gradients(const Loss& loss, size_t rows, size_t outputs, size_t columns, const T* a,
                          const T* y, T each, T* values, T* grad) {
    if (loss.sections) return joint_losses<T>(loss, rows, outputs, a, y, each, values, grad);
    const T factor = T(factor_of(loss));
    with_kind(Losses<T>{}, loss.kind, [&](auto kind) {
        if constexpr (same<decltype(kind), JointKind<T>>) {
        } else if constexpr (kind.over_classes) {
            const Classes settings = {loss.from_z, loss.settings[1], loss.settings[2]};
            const size_t lines = rows * (outputs / columns);
            const T scale = each * factor / T(outputs / columns);
            if (loss.from_z && columns <= CLASSES_AT_ONCE * lanes<T>) {
                for (size_t i = 0; i < lines; i += lanes<T>)
                    cross_entropies<T>(settings, factor, smaller(lanes<T>, lines - i), columns,
                                       a + i * columns, y + i * columns, values + i, scale,
                                       grad + i * columns);
                return;
            }
            for (size_t i = 0; i < lines; ++i) {
                const size_t at = i * columns;
                values[i] = cross_entropy<T>(settings, columns, a + at, y + at, grad + at) * factor;
            }
            sweep<T>(rows * outputs,
                     [&](size_t i, auto part) { store(grad + i, load(grad + i, part) * scale, part); });
        } else {
            const T scale = each * factor / T(outputs);
            kind.template with<T>(loss, [&](auto chosen, T first, T second) {
                sweep<T>(rows * outputs, [&](size_t i, auto part) {
                    const Both<T> both = chosen.both(load(a + i, part), load(y + i, part), first, second);
                    store(values + i, both.value * factor, part);
                    store(grad + i, both.slope * scale, part);
                });
            });
        }
    });
}

// How many values losses_and_gradients writes per row.
inline size_t values_of_row(const Loss& loss, size_t outputs, size_t columns) {
    if (loss.sections) return 1;
    bool over_classes = false;
    with_kind(Losses<float>{}, loss.kind, [&](auto kind) { over_classes = kind.over_classes; });
    return over_classes ? outputs / columns : outputs;
}

// The mean of each row's values; `means` may be the same array as `values`.
template <class T>
void row_means(size_t rows, size_t each, const T* values, T* means) {
    for (size_t i = 0; i < rows; ++i) {
        T total = 0;
        for (size_t j = 0; j < each; ++j) total += values[i * each + j];
        means[i] = total / T(each);
    }
}

}  // namespace ganglion::GANGLION_ISA
