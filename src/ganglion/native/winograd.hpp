// Convolution with kernels of 3 x 3 by fewer multiplications: F(2 x 2, 3 x 3) of Winograd (1980), as Lavin
// and Gray (2016) use it.
//
// A tile of 2 x 2 sums needs a patch of 4 x 4. Of patches and kernels, 16 linear combinations are taken
// ("points"); their products, one matrix product per point over the channels, are combined to the sums:
//
//     z = Aᵀ [(G w Gᵀ) · (Bᵀ x B)] A
//
// so that 16 multiplications do what 36 did. Their order depends on nothing but the shapes.
#pragma once

#include "layer.hpp"

namespace ganglion::GANGLION_ISA {

constexpr size_t POINTS = 16;
constexpr size_t NUMBERS_OF_POINTS = 1 << 16;  // of a strip of tiles, few enough for the second cache

// A strip of tiles, and how far apart its points lie: not by a power of 2, which would share lines of the
// cache.
struct Strip {
    size_t tiles_down, tiles_along, channels, filters;

    size_t tiles() const { return tiles_down * tiles_along; }
    template <class T>
    size_t apart(size_t depth) const {
        return whole_lines<T>(tiles() * depth) + 64 / sizeof(T);
    }
    template <class T>
    size_t room() const {
        return POINTS * (apart<T>(channels) + apart<T>(filters));
    }
};

// The strips of an image of `down` x `along` tiles.
inline Strip strip_of(size_t down, size_t along, size_t channels, size_t filters) {
    const size_t each = POINTS * along * (channels + filters);
    return {smaller(down, larger(1, NUMBERS_OF_POINTS / each)), along, channels, filters};
}

template <class T, class Lanes>
GANGLION_INLINE void store_points(const Vector<T> (&at)[4][4], T* to, size_t apart, Lanes lanes) {
#pragma GCC unroll 4
    for (size_t m = 0; m < 4; ++m)
#pragma GCC unroll 4
        for (size_t n = 0; n < 4; ++n) store(to + (4 * m + n) * apart, at[m][n], lanes);
}

// Bᵀ of four numbers.
template <class T>
GANGLION_INLINE void points_of_patch(Vector<T>& a, Vector<T>& b, Vector<T>& c, Vector<T>& d) {
    const Vector<T> second = b + c, third = c - b;
    a = a - c;
    d = b - d;
    b = second;
    c = third;
}

// An image whose windows begin `top` rows above and `left` columns before its first number; around it are
// zeros.
template <class T>
struct View {
    const T* at;
    ptrdiff_t rows, columns, top, left;
};

// The points of the patches of a strip of tiles, which begins with row `first` of them. Neighbors share half
// of a patch, whose columns are taken over.
template <class T>
void transform_patches(const Strip& strip, const View<T>& x, size_t first, T* to) {
    const size_t channels = strip.channels, apart = strip.apart<T>(channels);
    const ptrdiff_t step = static_cast<ptrdiff_t>(channels), row = x.columns * step;
    for (size_t i = 0; i < strip.tiles_down; ++i) {
        const ptrdiff_t top = static_cast<ptrdiff_t>(2 * (first + i)) - x.top;
        const bool inside = top >= 0 && top + 4 <= x.rows;
        sweep<T>(channels, [&](size_t c, auto part) {
            Vector<T> at[4][4];  // the points along the columns
            const auto column = [&](ptrdiff_t k, size_t n) {
                const T* from = x.at + top * row + k * step + static_cast<ptrdiff_t>(c);
                const bool there = k >= 0 && k < x.columns;
#pragma GCC unroll 4
                for (ptrdiff_t m = 0; m < 4; ++m)
                    at[m][n] = there && (inside || (top + m >= 0 && top + m < x.rows))
                                   ? load(from + m * row, part)
                                   : Vector<T>{};
                points_of_patch<T>(at[0][n], at[1][n], at[2][n], at[3][n]);
            };
            column(-x.left, 0);
            column(1 - x.left, 1);
            T* own = to + i * strip.tiles_along * channels + c;
            for (size_t j = 0; j < strip.tiles_along; ++j, own += channels) {
                const ptrdiff_t left = static_cast<ptrdiff_t>(2 * j) - x.left;
                column(left + 2, 2);
                column(left + 3, 3);
#pragma GCC unroll 4
                for (size_t m = 0; m < 4; ++m) {
                    Vector<T> points[4] = {at[m][0], at[m][1], at[m][2], at[m][3]};
                    points_of_patch<T>(points[0], points[1], points[2], points[3]);
#pragma GCC unroll 4
                    for (size_t n = 0; n < 4; ++n) store(own + (4 * m + n) * apart, points[n], part);
                    at[m][0] = at[m][2];
                    at[m][1] = at[m][3];
                }
            }
        });
    }
}

// G of three numbers.
template <class T>
GANGLION_INLINE void points_of_kernel(Vector<T> a, Vector<T> b, Vector<T> c, Vector<T>* to, size_t apart) {
    const Vector<T> outer = T(0.5) * (a + c), inner = T(0.5) * b;
    to[0] = a;
    to[apart] = outer + inner;
    to[2 * apart] = outer - inner;
    to[3 * apart] = c;
}

// The points of kernels of `size` numbers at each place.
template <class T>
void transform_kernels(size_t size, const T* weight, T* to) {
    sweep<T>(size, [&](size_t k, auto part) {
        Vector<T> half[4][3], at[4][4];
#pragma GCC unroll 3
        for (size_t n = 0; n < 3; ++n)
            points_of_kernel<T>(load(weight + n * size + k, part), load(weight + (3 + n) * size + k, part),
                                load(weight + (6 + n) * size + k, part), &half[0][n], 3);
#pragma GCC unroll 4
        for (size_t m = 0; m < 4; ++m) points_of_kernel<T>(half[m][0], half[m][1], half[m][2], &at[m][0], 1);
        store_points<T>(at, to + k, size, part);
    });
}

// The sums of a strip from its points, `height` x `width` of them from `z` on; `row` are the numbers of a
// row.
template <class T>
void transform_sums(const Strip& strip, const T* points, const T* bias, Epilogue<T> epilogue, size_t height,
                    size_t width, size_t row, T* z) {
    const size_t filters = strip.filters, apart = strip.apart<T>(filters);
    for (size_t i = 0; i < strip.tiles_down; ++i)
        for (size_t j = 0; j < strip.tiles_along; ++j, points += filters)
            sweep<T>(filters, [&](size_t f, auto part) {
                Vector<T> half[2][4], sums[2][2];
                const auto at = [&](size_t m, size_t n) {
                    return load(points + (4 * m + n) * apart + f, part);
                };
#pragma GCC unroll 4
                for (size_t n = 0; n < 4; ++n) {
                    const Vector<T> second = at(1, n), third = at(2, n);
                    half[0][n] = at(0, n) + second + third;
                    half[1][n] = second - third - at(3, n);
                }
                const Vector<T> start = bias ? load(bias + f, part) : Vector<T>{};
#pragma GCC unroll 2
                for (size_t m = 0; m < 2; ++m) {
                    sums[m][0] = half[m][0] + half[m][1] + half[m][2] + start;
                    sums[m][1] = half[m][1] - half[m][2] - half[m][3] + start;
                }
#pragma GCC unroll 2
                for (size_t m = 0; m < 2; ++m)
#pragma GCC unroll 2
                    for (size_t n = 0; n < 2; ++n) {
                        if (2 * i + m >= height || 2 * j + n >= width) continue;
                        const size_t place = (2 * i + m) * row + (2 * j + n) * filters + f;
                        store(z + place, finished<T>(epilogue, sums[m][n], place, part), part);
                    }
            });
}

// A of two numbers.
template <class T>
GANGLION_INLINE void points_of_sums(Vector<T> a, Vector<T> b, Vector<T>* to, size_t apart) {
    to[0] = a;
    to[apart] = a + b;
    to[2 * apart] = a - b;
    to[3 * apart] = -b;
}

// The points of the gradient of a strip of sums, laid out as in `transform_sums`.
template <class T>
void transform_gradients(const Strip& strip, const T* grad, size_t height, size_t width, size_t row, T* to) {
    const size_t filters = strip.filters, apart = strip.apart<T>(filters);
    for (size_t i = 0; i < strip.tiles_down; ++i)
        for (size_t j = 0; j < strip.tiles_along; ++j, to += filters)
            sweep<T>(filters, [&](size_t f, auto part) {
                Vector<T> half[4][2], at[4][4];
                const auto sum = [&](size_t m, size_t n) {
                    if (2 * i + m >= height || 2 * j + n >= width) return Vector<T>{};
                    return load(grad + (2 * i + m) * row + (2 * j + n) * filters + f, part);
                };
#pragma GCC unroll 2
                for (size_t n = 0; n < 2; ++n) points_of_sums<T>(sum(0, n), sum(1, n), &half[0][n], 2);
#pragma GCC unroll 4
                for (size_t m = 0; m < 4; ++m) points_of_sums<T>(half[m][0], half[m][1], &at[m][0], 1);
                store_points<T>(at, to + f, apart, part);
            });
}

// Gᵀ of four numbers.
template <class T>
GANGLION_INLINE void kernel_of_points(Vector<T> a, Vector<T> b, Vector<T> c, Vector<T> d, Vector<T>* to,
                                      size_t apart) {
    const Vector<T> both = T(0.5) * (b + c);
    to[0] = a + both;
    to[apart] = T(0.5) * (b - c);
    to[2 * apart] = both + d;
}

// Adds the gradient of kernels of `size` numbers at each place, given that of their points.
template <class T>
void transform_kernels_back(size_t size, const T* points, T* gradient) {
    sweep<T>(size, [&](size_t k, auto part) {
        Vector<T> half[3][4], at[3][3];
        const auto point = [&](size_t m, size_t n) { return load(points + (4 * m + n) * size + k, part); };
#pragma GCC unroll 4
        for (size_t n = 0; n < 4; ++n)
            kernel_of_points<T>(point(0, n), point(1, n), point(2, n), point(3, n), &half[0][n], 4);
#pragma GCC unroll 3
        for (size_t m = 0; m < 3; ++m)
            kernel_of_points<T>(half[m][0], half[m][1], half[m][2], half[m][3], &at[m][0], 1);
#pragma GCC unroll 3
        for (size_t m = 0; m < 3; ++m)
#pragma GCC unroll 3
            for (size_t n = 0; n < 3; ++n) {
                T* to = gradient + (3 * m + n) * size + k;
                store(to, load(to, part) + at[m][n], part);
            }
    });
}

// Adds the gradient of the points of the kernels, from those of the patches and of the sums of a strip.
template <class T>
void multiply_points_back(const Strip& strip, const T* patches, const T* sums, T* gradient) {
    const size_t channels = strip.channels, filters = strip.filters;
    for (size_t point = 0; point < POINTS; ++point) {
        const Left<T> left = {patches + point * strip.apart<T>(channels), 1, channels};
        const T* right = sums + point * strip.apart<T>(filters);
        T* to = gradient + point * channels * filters;
        for (size_t j = 0; j < filters; j += tile_columns<T>)
            product_piece<T>(channels, j, smaller(tile_columns<T>, filters - j), strip.tiles(), left,
                             right + j, filters, {to + j, filters}, to, filters, {}, nothing);
    }
}

// The products of the points of a strip and of the kernels.
template <class T>
void multiply_points(const Strip& strip, const T* patches, const T* kernels, T* points) {
    const size_t channels = strip.channels, filters = strip.filters;
    for (size_t point = 0; point < POINTS; ++point) {
        const Left<T> left = {patches + point * strip.apart<T>(channels), channels, 1};
        T* to = points + point * strip.apart<T>(filters);
        for (size_t j = 0; j < filters; j += tile_columns<T>)
            product_piece<T>(strip.tiles(), j, smaller(tile_columns<T>, filters - j), channels, left,
                             kernels + point * channels * filters + j, filters, {}, to, filters, {}, nothing);
    }
}

}  // namespace ganglion::GANGLION_ISA
