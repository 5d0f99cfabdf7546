// Vectors of numbers as wide as the processor's registers, from one source for all instruction sets.
//
// The files that include this one are compiled once for each instruction set, into a namespace of its name.
// They use no templates of the standard library, because the linker would keep one copy of these for all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#ifndef GANGLION_ISA
#define GANGLION_ISA baseline
#endif

#if defined(__AVX512F__)
#define GANGLION_BYTES 64
#elif defined(__AVX__)
#define GANGLION_BYTES 32
#else
#define GANGLION_BYTES 16
#endif

#if defined(__AVX512F__) || defined(__aarch64__)
#define GANGLION_REGISTERS 32
#else
#define GANGLION_REGISTERS 16
#endif

#define GANGLION_INLINE inline __attribute__((always_inline))

namespace ganglion::GANGLION_ISA {

using std::size_t;

template <class T>
struct Types;

template <>
struct Types<float> {
    typedef float Vector __attribute__((vector_size(GANGLION_BYTES)));
    typedef float Anywhere __attribute__((vector_size(GANGLION_BYTES), aligned(4), may_alias));
    typedef int32_t Integers __attribute__((vector_size(GANGLION_BYTES)));
    typedef int32_t Integer;
};

template <>
struct Types<double> {
    typedef double Vector __attribute__((vector_size(GANGLION_BYTES)));
    typedef double Anywhere __attribute__((vector_size(GANGLION_BYTES), aligned(8), may_alias));
    typedef int64_t Integers __attribute__((vector_size(GANGLION_BYTES)));
    typedef int64_t Integer;
};

template <class T>
using Vector = typename Types<T>::Vector;
template <class T>
using Integers = typename Types<T>::Integers;
template <class T>
constexpr size_t lanes = GANGLION_BYTES / sizeof(T);

// The used part of a vector: all of it, its first lane, or its first `count` lanes.
struct Whole {};
struct One {};
struct First {
    size_t count;
};

template <class T>
GANGLION_INLINE Vector<T> broadcast(T value) {
    return value - Vector<T>{};
}

template <class T>
GANGLION_INLINE Vector<T> load(const T* from, Whole) {
    return *reinterpret_cast<const typename Types<T>::Anywhere*>(from);
}

template <class T>
GANGLION_INLINE void store(T* to, Vector<T> value, Whole) {
    *reinterpret_cast<typename Types<T>::Anywhere*>(to) = value;
}

// A load sets unused lanes to 0; a store does not write them.
template <class T>
GANGLION_INLINE Vector<T> load(const T* from, One) {
    return Vector<T>{*from};
}

template <class T>
GANGLION_INLINE void store(T* to, Vector<T> value, One) {
    *to = value[0];
}

#if defined(__AVX512F__)
GANGLION_INLINE Vector<float> load(const float* from, First part) {
    return (Vector<float>)_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << part.count) - 1), from);
}
GANGLION_INLINE Vector<double> load(const double* from, First part) {
    return (Vector<double>)_mm512_maskz_loadu_pd(static_cast<__mmask8>((1u << part.count) - 1), from);
}
GANGLION_INLINE void store(float* to, Vector<float> value, First part) {
    _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1u << part.count) - 1), (__m512)value);
}
GANGLION_INLINE void store(double* to, Vector<double> value, First part) {
    _mm512_mask_storeu_pd(to, static_cast<__mmask8>((1u << part.count) - 1), (__m512d)value);
}
#elif defined(__AVX__)
GANGLION_INLINE __m256i mask_32(First part) {
    typedef int32_t Eight __attribute__((vector_size(32)));
    return (__m256i)(Eight{0, 1, 2, 3, 4, 5, 6, 7} < static_cast<int32_t>(part.count));
}
GANGLION_INLINE __m256i mask_64(First part) {
    typedef int64_t Four __attribute__((vector_size(32)));
    return (__m256i)(Four{0, 1, 2, 3} < static_cast<int64_t>(part.count));
}
GANGLION_INLINE Vector<float> load(const float* from, First part) {
    return (Vector<float>)_mm256_maskload_ps(from, mask_32(part));
}
GANGLION_INLINE Vector<double> load(const double* from, First part) {
    return (Vector<double>)_mm256_maskload_pd(from, mask_64(part));
}
GANGLION_INLINE void store(float* to, Vector<float> value, First part) {
    _mm256_maskstore_ps(to, mask_32(part), (__m256)value);
}
GANGLION_INLINE void store(double* to, Vector<double> value, First part) {
    _mm256_maskstore_pd(to, mask_64(part), (__m256d)value);
}
#else
template <class T>
GANGLION_INLINE Vector<T> load(const T* from, First part) {
    Vector<T> value{};
    for (size_t i = 0; i < lanes<T>; ++i)
        if (i < part.count) value[i] = from[i];
    return value;
}
template <class T>
GANGLION_INLINE void store(T* to, Vector<T> value, First part) {
    for (size_t i = 0; i < lanes<T>; ++i)
        if (i < part.count) to[i] = value[i];
}
#endif

// Calls body(i, part) for every vector of an array of `count` numbers; the last one may be partial.
template <class T, class Body>
GANGLION_INLINE void sweep(size_t count, Body body) {
    size_t i = 0;
    for (; i + lanes<T> <= count; i += lanes<T>) body(i, Whole{});
    if (i < count) body(i, First{count - i});
}

// As `sweep`, for short arrays that change often: what fills no vector goes one by one, because a number that
// is read soon after a part of a vector was written has to wait for it.
template <class T, class Body>
GANGLION_INLINE void sweep_row(size_t count, Body body) {
    size_t i = 0;
    for (; i + lanes<T> <= count; i += lanes<T>) body(i, Whole{});
    for (; i < count; ++i) body(i, One{});
}

constexpr size_t AHEAD = 8, MOST_AHEAD = 1024;  // rows to fetch ahead, and at most how many bytes of each

// Asks for a row of memory that will soon be used.
template <class T>
GANGLION_INLINE void fetch(const T* row, size_t count) {
    const char* at = reinterpret_cast<const char*>(row);
    for (size_t i = 0; i < count * sizeof(T) && i < MOST_AHEAD; i += 64) __builtin_prefetch(at + i);
}

// Adds `factor` times a short array to another.
template <class T>
GANGLION_INLINE void add_scaled(size_t count, const T* x, T factor, T* to) {
    sweep_row<T>(count, [&](size_t i, auto part) {
        store(to + i, load(to + i, part) + load(x + i, part) * factor, part);
    });
}

// As `sweep`, with body(i, part, n), where n cycles from 0 to 3: for sums, which would otherwise wait for
// each other.
template <class T, class Body>
GANGLION_INLINE void sweep_by_4(size_t count, Body body) {
    size_t i = 0;
    for (; i + 4 * lanes<T> <= count; i += 4 * lanes<T>)
#pragma GCC unroll 4
        for (size_t n = 0; n < 4; ++n) body(i + n * lanes<T>, Whole{}, n);
    for (; i + lanes<T> <= count; i += lanes<T>) body(i, Whole{}, size_t(0));
    if (i < count) body(i, First{count - i}, size_t(0));
}

// The value in the used lanes, another one in the rest.
template <class T>
GANGLION_INLINE Vector<T> masked(Vector<T> value, Whole, T) {
    return value;
}
template <class T>
GANGLION_INLINE Vector<T> masked(Vector<T> value, One, T otherwise) {
    Vector<T> found = broadcast<T>(otherwise);
    found[0] = value[0];
    return found;
}
template <class T>
GANGLION_INLINE Vector<T> masked(Vector<T> value, First part, T otherwise) {
    Integers<T> number;
    for (size_t i = 0; i < lanes<T>; ++i) number[i] = static_cast<int>(i);
    return number < static_cast<typename Types<T>::Integer>(part.count) ? value : broadcast<T>(otherwise);
}

// The lanes with the given indices, counted through a and then b.
template <class T>
GANGLION_INLINE Vector<T> shuffle(Vector<T> a, Vector<T> b, Integers<T> which) {
#if defined(__clang__)  // has no such builtin, and optimizes this loop
    Vector<T> value{};
#pragma GCC unroll 16
    for (size_t i = 0; i < lanes<T>; ++i) {
        const size_t lane = static_cast<size_t>(which[i]);
        value[i] = lane < lanes<T> ? a[lane] : b[lane - lanes<T>];
    }
    return value;
#else
    return __builtin_shuffle(a, b, which);
#endif
}

// Combines each lane with the one half a vector away, then a quarter, and so on.
template <class T, class Combine>
GANGLION_INLINE T fold(Vector<T> value, Combine combine) {
#pragma GCC unroll 4
    for (size_t half = lanes<T> / 2; half; half /= 2) {
        Integers<T> other;
        for (size_t i = 0; i < lanes<T>; ++i) other[i] = static_cast<int>(i ^ half);
        value = combine(value, shuffle<T>(value, value, other));
    }
    return value[0];
}

template <class T>
GANGLION_INLINE T sum(Vector<T> value) {
    return fold<T>(value, [](Vector<T> a, Vector<T> b) { return a + b; });
}

template <class T>
GANGLION_INLINE Vector<T> maximum(Vector<T> a, Vector<T> b) {
    return a < b ? b : a;
}
template <class T>
GANGLION_INLINE Vector<T> minimum(Vector<T> a, Vector<T> b) {
    return a > b ? b : a;
}
template <class T>
GANGLION_INLINE Vector<T> where_positive(Vector<T> x, Vector<T> value) {
    return x > T(0) ? value : Vector<T>{};
}
template <class T>
GANGLION_INLINE Vector<T> absolute(Vector<T> x) {
    constexpr auto most = static_cast<typename Types<T>::Integer>(~0ull >> (65 - 8 * sizeof(T)));
    return (Vector<T>)((Integers<T>)x & most);
}
template <class T>
GANGLION_INLINE Vector<T> with_sign_of(Vector<T> size, Vector<T> sign) {
    constexpr auto most = static_cast<typename Types<T>::Integer>(~0ull >> (65 - 8 * sizeof(T)));
    return (Vector<T>)(((Integers<T>)size & most) | ((Integers<T>)sign & ~most));
}

GANGLION_INLINE Vector<float> square_root(Vector<float> x) {
#if defined(__AVX512F__)
    return (Vector<float>)_mm512_sqrt_ps((__m512)x);
#elif defined(__AVX__)
    return (Vector<float>)_mm256_sqrt_ps((__m256)x);
#elif defined(__x86_64__)
    return (Vector<float>)_mm_sqrt_ps((__m128)x);
#elif defined(__aarch64__)
    return (Vector<float>)vsqrtq_f32((float32x4_t)x);
#else
    for (size_t i = 0; i < lanes<float>; ++i) x[i] = __builtin_sqrtf(x[i]);
    return x;
#endif
}
GANGLION_INLINE Vector<double> square_root(Vector<double> x) {
#if defined(__AVX512F__)
    return (Vector<double>)_mm512_sqrt_pd((__m512d)x);
#elif defined(__AVX__)
    return (Vector<double>)_mm256_sqrt_pd((__m256d)x);
#elif defined(__x86_64__)
    return (Vector<double>)_mm_sqrt_pd((__m128d)x);
#elif defined(__aarch64__)
    return (Vector<double>)vsqrtq_f64((float64x2_t)x);
#else
    for (size_t i = 0; i < lanes<double>; ++i) x[i] = __builtin_sqrt(x[i]);
    return x;
#endif
}

// Exchanges blocks of `Size` lanes between two vectors of a square: `upper` combines the lanes of both
// without the bit `Size`, `lower` those with it.
template <class T, size_t Size>
struct Halves {
    Integers<T> keep, take;

    GANGLION_INLINE Halves() {
#pragma GCC unroll 16
        for (size_t j = 0; j < lanes<T>; ++j) {
            keep[j] = static_cast<int>(j & Size ? lanes<T> + j - Size : j);
            take[j] = static_cast<int>(j & Size ? lanes<T> + j : j + Size);
        }
    }
    GANGLION_INLINE Vector<T> upper(Vector<T> a, Vector<T> b) const { return shuffle<T>(a, b, keep); }
    GANGLION_INLINE Vector<T> lower(Vector<T> a, Vector<T> b) const { return shuffle<T>(a, b, take); }
};

// Transposes a square of vectors: row i becomes column i. Blocks of half the size are exchanged, then
// quarters, and so on.
template <class T, size_t Size = lanes<T> / 2>
GANGLION_INLINE void transpose(Vector<T>* rows) {
    const Halves<T, Size> halves;
#pragma GCC unroll 16
    for (size_t i = 0; i < lanes<T>; ++i) {
        if (i & Size) continue;
        const Vector<T> a = rows[i], b = rows[i + Size];
        rows[i] = halves.upper(a, b);
        rows[i + Size] = halves.lower(a, b);
    }
    if constexpr (Size > 1) transpose<T, Size / 2>(rows);
}

// The sum of each vector of a square, in its own lane: one half of the vectors is added to the other, then
// one quarter, and so on.
template <class T, size_t Size = lanes<T> / 2>
GANGLION_INLINE Vector<T> sums(Vector<T>* rows) {
    const Halves<T, Size> halves;
#pragma GCC unroll 16
    for (size_t i = 0; i < Size; ++i)
        rows[i] = halves.upper(rows[i], rows[i + Size]) + halves.lower(rows[i], rows[i + Size]);
    if constexpr (Size > 1) return sums<T, Size / 2>(rows);
    return rows[0];
}

template <class T>
GANGLION_INLINE T sum_of_squares(size_t count, const T* x) {
    Vector<T> squares[4] = {};
    sweep_by_4<T>(count, [&](size_t i, auto part, size_t n) {
        const Vector<T> value = load(x + i, part);
        squares[n] += value * value;
    });
    return sum<T>(squares[0] + squares[1] + squares[2] + squares[3]);
}

template <class T>
GANGLION_INLINE bool all_finite(size_t count, const T* x) {
    Vector<T> spoiled[4] = {};
    sweep_by_4<T>(count, [&](size_t i, auto part, size_t n) {
        const Vector<T> value = load(x + i, part);
        spoiled[n] += value - value;  // 0 for a finite number, else NaN
    });
    return sum<T>(spoiled[0] + spoiled[1] + spoiled[2] + spoiled[3]) == T(0);
}

}  // namespace ganglion::GANGLION_ISA
