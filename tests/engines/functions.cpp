// Measures the errors of the functions in functions.hpp. Built for each instruction set and called by
// test_functions.py. To test a function, add one line to the list at the end, and its bound there.
#include "functions.hpp"

#include <cfloat>
#include <cmath>

#if LDBL_MANT_DIG < 113 && __has_include(<quadmath.h>)
#include <quadmath.h>
#define QUAD(function) function##q
typedef __float128 Quad;
#else
static_assert(LDBL_MANT_DIG >= 64, "double must be compared with a longer type");
#define QUAD(function) function##l
typedef long double Quad;
#endif

namespace {

using namespace ganglion::GANGLION_ISA;

// Overloads of mathematical functions: float is compared with double, double with Quad.
#define OVERLOADS(function)                                \
    double function##_of(double x) { return function(x); } \
    Quad function##_of(Quad x) { return QUAD(function)(x); }
OVERLOADS(exp)
OVERLOADS(expm1)
OVERLOADS(log)
OVERLOADS(log1p)
OVERLOADS(tanh)
OVERLOADS(erfc)
OVERLOADS(sqrt)
int exponent_of(double x) { return std::ilogb(x); }
int exponent_of(Quad x) { return QUAD(ilogb)(x); }
double scaled(double x, int n) { return std::ldexp(x, n); }
Quad scaled(Quad x, int n) { return QUAD(ldexp)(x, n); }

template <class T>
struct Longer {
    typedef double Type;
};
template <>
struct Longer<double> {
    typedef Quad Type;
};

// The error in units of the last place of T at the exact value: the smallest number, for subnormal values.
// Beyond the largest number, infinity is exact.
template <class T>
double ulps(T got, typename Longer<T>::Type exact) {
    if (got != got || exact != exact) return got != got && exact != exact ? 0 : HUGE_VAL;
    if (std::isinf(got)) return static_cast<T>(exact) == got ? 0 : HUGE_VAL;
    constexpr int lowest = 1 - Format<T>::bias;
    const int exponent = exact == 0 || exponent_of(exact) < lowest ? lowest : exponent_of(exact);
    const typename Longer<T>::Type difference = exact > got ? exact - got : got - exact;
    return static_cast<double>(scaled(difference, Format<T>::mantissa - exponent));
}

// Returns the largest error over the arguments, and writes the argument at which it occurs.
template <class T, class Function, class Exact>
double worst(size_t count, const T* x, T* where, Function function, Exact exact) {
    double found = 0;
    *where = 0;
    sweep<T>(count, [&](size_t i, auto part) {
        T got[lanes<T>];
        store(got, function(load(x + i, part)), Whole{});
        for (size_t k = 0; k < lanes<T> && i + k < count; ++k)
            if (const double error = ulps<T>(got[k], exact(x[i + k])); error > found)
                found = error, *where = x[i + k];
    });
    return found;
}

}  // namespace

#define TEST_OF(T, function, ...)                                                                     \
    extern "C" __attribute__((visibility("default"))) double function##_##T(size_t count, const T* x, \
                                                                            T* where) {               \
        return worst<T>(                                                                              \
            count, x, where, [](Vector<T> v) { return function<T>(v); },                              \
            [](typename Longer<T>::Type x) -> decltype(x) { return __VA_ARGS__; });                   \
    }
#define TEST(function, ...)               \
    TEST_OF(float, function, __VA_ARGS__) \
    TEST_OF(double, function, __VA_ARGS__)

TEST(exp_minus_1_near_0, expm1_of(x))
TEST(exponential, exp_of(x))
TEST(exp_minus_1_within, expm1_of(x))
TEST(exp_minus_1, expm1_of(x))
TEST(hyperbolic_tangent, tanh_of(x))
TEST(logistic, 1 / (1 + exp_of(-x)))
TEST(logarithm, log_of(x))
TEST(log_1_plus, log1p_of(x))
TEST(normal_cdf, erfc_of(-x* sqrt_of(decltype(x)(0.5))) / 2)
