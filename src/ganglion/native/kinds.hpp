// Lists of kinds: one list of types defines the numbers of the kinds, the dispatch, and the names and
// settings that Python sees. Kinds are found by name; unknown settings are rejected.
#pragma once

#include <cstddef>

namespace ganglion {

using std::size_t;

constexpr size_t MOST_SETTINGS = 12;

struct Names {  // null-terminated
    const char* at[MOST_SETTINGS + 1] = {};
};

// The properties of a kind that Python and the plan of a network need.
struct Kind {
    const char* name;
    Names settings;
    bool in_place, takes_derivative, row_sparse;  // of a layer, see layer.hpp
    bool row_wise;                                // of an activation: each number depends on its whole row
};

template <class... Each>
struct List {
    static constexpr int size = sizeof...(Each);
};

template <class A, class B>
constexpr bool same = false;
template <class A>
constexpr bool same<A, A> = true;

// The index of a kind in its list.
template <class Wanted, class First, class... Rest>
constexpr int place_in(List<First, Rest...>) {
    if constexpr (same<Wanted, First>) return 0;
    else return 1 + place_in<Wanted>(List<Rest...>{});
}

// Calls body(Kind{}) with the kind of that index.
template <class First, class... Rest, class Body>
__attribute__((always_inline)) inline void with_kind(List<First, Rest...>, int number, Body body) {
    if constexpr (sizeof...(Rest) == 0) body(First{});
    else if (number == 0) body(First{});
    else with_kind(List<Rest...>{}, number - 1, body);
}

}  // namespace ganglion
