// Mathematical functions of vectors, in float and double. Each has the precision that
// tests/engines/test_functions.py states, and returns the limit at infinity and NaN for NaN.
//
// exp(x) = 2**n * exp(r), with n the integer nearest to x / log(2) and |r| <= log(2) / 2, where the Taylor
// series of exp(r) - 1 is short. The others follow from exp(x) - 1.
#pragma once

#include "vector.hpp"

namespace ganglion::GANGLION_ISA {

template <class T>
struct Format;

template <>
struct Format<float> {
    static constexpr int mantissa = 23, bias = 127, terms = 7, log_terms = 5;
    static constexpr float rounder = 12582912.0f;  // 1.5 * 2**23: adding it rounds to an integer
    static constexpr float log2_high = 0.693359375f, log2_low = -2.12194440054690583e-4f;
    static constexpr float lowest = -104.0f, highest = 89.0f;  // exp is 0 below and infinite above
    static constexpr float tiny = 1.17549435e-38f, largest = 3.40282347e38f;
};

template <>
struct Format<double> {
    static constexpr int mantissa = 52, bias = 1023, terms = 13, log_terms = 11;
    static constexpr double rounder = 6755399441055744.0;  // 1.5 * 2**52
    static constexpr double log2_high = 0.693145751953125, log2_low = 1.42860682030941723212e-6;
    static constexpr double lowest = -746.0, highest = 710.0;
    static constexpr double tiny = 2.2250738585072014e-308, largest = 1.7976931348623157e308;
};

// A table of 1 / n!: a call that the compiler does not unroll would cost more than everything else.
struct InverseFactorials {
    double of[16];
    constexpr InverseFactorials() : of() {
        double factorial = 1;
        for (int n = 0; n < 16; ++n) {
            factorial *= n ? n : 1;
            of[n] = 1 / factorial;
        }
    }
};
constexpr InverseFactorials inverse_factorial;

// exp(r) - 1 for |r| <= log(2) / 2.
template <class T>
GANGLION_INLINE Vector<T> exp_minus_1_near_0(Vector<T> r) {
    constexpr int terms = Format<T>::terms;
    Vector<T> series = all<T>(T(inverse_factorial.of[terms]));
#pragma GCC unroll 16
    for (int k = terms - 1; k >= 2; --k) series = series * r + T(inverse_factorial.of[k]);
    return r + (r * r) * series;
}

// Writes n, an integer, and returns r.
template <class T>
GANGLION_INLINE Vector<T> reduce(Vector<T> x, Integers<T>& n) {
    constexpr T rounder = Format<T>::rounder;
    const Vector<T> shifted = x * T(1.44269504088896340736) + rounder;
    const Vector<T> whole = shifted - rounder;
    n = (Integers<T>)shifted - (Integers<T>)all<T>(rounder);
    return (x - whole * Format<T>::log2_high) - whole * Format<T>::log2_low;
}

template <class T>
GANGLION_INLINE Vector<T> power_of_2(Integers<T> n) {
    return (Vector<T>)((n + Format<T>::bias) << Format<T>::mantissa);
}

template <class T>
GANGLION_INLINE Vector<T> clamp(Vector<T> x, T low, T high) {  // NaN stays
    x = x < low ? all<T>(low) : x;
    return x > high ? all<T>(high) : x;
}

template <class T>
GANGLION_INLINE Vector<T> exponential(Vector<T> x) {
    Integers<T> n;
    const Vector<T> r = reduce<T>(clamp<T>(x, Format<T>::lowest, Format<T>::highest), n);
    const Vector<T> value = exp_minus_1_near_0<T>(r) + T(1);
    const Integers<T> half = n >> 1;  // 2**n itself may overflow or underflow
    return value * power_of_2<T>(half) * power_of_2<T>(n - half);
}

// exp(x) - 1 without losing precision near 0, for x within 87 (float) or 708 (double) of it.
template <class T>
GANGLION_INLINE Vector<T> exp_minus_1_within(Vector<T> x) {
    Integers<T> n;
    const Vector<T> r = reduce<T>(x, n);
    const Vector<T> scale = power_of_2<T>(n);
    return scale * exp_minus_1_near_0<T>(r) + (scale - T(1));
}

// The same for any x for which it does not overflow.
template <class T>
GANGLION_INLINE Vector<T> exp_minus_1(Vector<T> x) {
    constexpr T lowest = T(-2.0 * (Format<T>::mantissa + 2));  // below this the result is -1
    return exp_minus_1_within<T>(x < lowest ? all<T>(lowest) : x);
}

// tanh(x) = t / (t + 2) with t = exp(2 x) - 1, for |x|.
template <class T>
GANGLION_INLINE Vector<T> hyperbolic_tangent(Vector<T> x) {
    constexpr T farthest = T(Format<T>::mantissa);  // tanh reaches 1 well before
    const Vector<T> size = absolute<T>(x);
    const Vector<T> t = exp_minus_1_within<T>((size > farthest ? all<T>(farthest) : size) * T(2));
    return with_sign_of<T>(t / (t + T(2)), x);
}

// 1 / (1 + exp(-x)), from the smaller of exp(x) and exp(-x).
template <class T>
GANGLION_INLINE Vector<T> logistic(Vector<T> x) {
    const Vector<T> small = exponential<T>(-absolute<T>(x));
    return (x < T(0) ? small : all<T>(T(1))) / (small + T(1));
}

// log(x) for x >= tiny: x = 2**n * m with m from sqrt(1/2) to sqrt(2), and log(m) = 2 artanh(s) with
// s = (m - 1) / (m + 1).
template <class T>
GANGLION_INLINE Vector<T> logarithm(Vector<T> x) {
    using Integer = typename Types<T>::Integer;
    constexpr int mantissa = Format<T>::mantissa;
    constexpr Integer fraction = (Integer(1) << mantissa) - 1;
    const Integers<T> bits = (Integers<T>)x;
    const Vector<T> m = (Vector<T>)((bits & fraction) | (Integer(Format<T>::bias) << mantissa));  // 1 to 2
    const Integers<T> big = m > T(1.41421356237309504880);
    const Integers<T> n = (bits >> mantissa) - Format<T>::bias - big;  // true is -1
    const Vector<T> part = big ? m * T(0.5) : m;
    const Vector<T> whole = __builtin_convertvector(n, Vector<T>);
    const Vector<T> f = part - T(1), s = f / (f + T(2)), z = s * s;
    Vector<T> series = all<T>(T(2.0 / (2 * Format<T>::log_terms + 1)));
#pragma GCC unroll 16
    for (int k = Format<T>::log_terms - 1; k >= 1; --k) series = series * z + T(2.0 / (2 * k + 1));
    // 2 s = f - s f, which is exact if f is
    const Vector<T> value =
        whole * Format<T>::log2_high + (f - (s * (f - z * series) - whole * Format<T>::log2_low));
    return x <= Format<T>::largest ? value : x;  // infinity and NaN
}

// log(1 + x) for x >= 0.
template <class T>
GANGLION_INLINE Vector<T> log_1_plus(Vector<T> x) {
    const Vector<T> u = x + T(1);
    const Vector<T> value = logarithm<T>(u) + (x - (u - T(1))) / u;
    return u <= Format<T>::largest ? value : u;
}

// The distribution function of the standard normal distribution: erfc(-z / sqrt(2)) / 2.
// erfc(x) = t * exp(-x**2) * sum_k c_k T_k(2 t - 1) with t = 3 / (3 + x), for x >= 0.
constexpr double ERFC_COEFFICIENTS[] = {
    0.4711460746602906,      0.37715894969156577,    0.11803603344749546,    0.028362346699695153,
    0.004871757757605546,    0.00045985238787654427, -2.143022238105315e-05, -1.301447369924135e-05,
    -8.809283582853514e-07,  2.7464800479702846e-07, 4.415991899223785e-08,  -6.398408385575483e-09,
    -1.6768357212484645e-09, 1.9473354700890025e-10, 6.247441303469389e-11,  -8.124557552244496e-12,
    -2.330314613222566e-12,  4.191038539225333e-13,  8.19333526881303e-14,   -2.3352472107929263e-14,
    -2.2442585649165363e-15, 1.2811435298050507e-15, 1.1054582965396302e-18, -6.44579513564904e-17,
};

template <class T>
GANGLION_INLINE Vector<T> normal_cdf(Vector<T> z) {
    constexpr int terms = sizeof(T) == 4 ? 12 : 24;
    const Vector<T> x = minimum<T>(absolute<T>(z), all<T>(T(40))) * T(0.70710678118654752440);
    const Vector<T> t = T(3) / (x + T(3)), u = t * T(4) - T(2);
    Vector<T> later{}, last{};
    for (int k = terms - 1; k >= 1; --k) {  // Clenshaw's recurrence
        const Vector<T> next = u * later - last + T(ERFC_COEFFICIENTS[k]);
        last = later;
        later = next;
    }
    const Vector<T> series = u * T(0.5) * later - last + T(ERFC_COEFFICIENTS[0]);
    const Vector<T> tail = t * exponential<T>(-x * x) * series * T(0.5);
    return z < T(0) ? tail : T(1) - tail;
}

}  // namespace ganglion::GANGLION_ISA
