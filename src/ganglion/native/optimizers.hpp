// Optimizers: one pass over a piece of the flat vectors. Formulas are those of training/optimizers.py; each
// updates its slots and returns what to subtract. To add one: write it, and add it to the list `Optimizers`.
#pragma once

#include "description.hpp"
#include "functions.hpp"

namespace ganglion::GANGLION_ISA {

template <class T>
struct Settings {  // of one update, in the network's own type of number
    T rate, first, second, epsilon;
    T first_rest, second_rest;  // 1 - first and 1 - second, subtracted before they are rounded
    T divide, scale;            // Adam's two corrections of the bias towards 0
};

template <class T>
Settings<T> plain(double rate, double first, double second, double epsilon) {
    return {T(rate), T(first), T(second), T(epsilon), T(1 - first), T(1 - second), T(1), T(0)};
}

// Each rule reads its slots, slot[0] and slot[1], and overwrites them with their new values.
template <class T>
struct SGD {
    static constexpr int slots = 0;
    static GANGLION_INLINE Vector<T> change(Settings<T> s, Vector<T> g, Vector<T>*) { return g * s.rate; }
};

template <class T>
struct Momentum {
    static constexpr int slots = 1;
    static GANGLION_INLINE Vector<T> change(Settings<T> s, Vector<T> g, Vector<T>* slot) {
        slot[0] = slot[0] * s.first + g;
        return slot[0] * s.rate;
    }
};

template <class T>
struct Nesterov {
    static constexpr int slots = 1;
    static GANGLION_INLINE Vector<T> change(Settings<T> s, Vector<T> g, Vector<T>* slot) {
        slot[0] = slot[0] * s.first + g;
        return (g + slot[0] * s.first) * s.rate;
    }
};

template <class T>
struct RMSprop {
    static constexpr int slots = 1;
    static GANGLION_INLINE Vector<T> change(Settings<T> s, Vector<T> g, Vector<T>* slot) {
        slot[0] = slot[0] * s.second + g * g * s.second_rest;
        return g / (square_root(slot[0]) + s.epsilon) * s.rate;
    }
};

template <class T>
struct RMSpropMomentum {
    static constexpr int slots = 2;
    static GANGLION_INLINE Vector<T> change(Settings<T> s, Vector<T> g, Vector<T>* slot) {
        slot[0] = slot[0] * s.second + g * g * s.second_rest;
        slot[1] = slot[1] * s.first + g / (square_root(slot[0]) + s.epsilon);
        return slot[1] * s.rate;
    }
};

template <class T>
struct Adagrad {
    static constexpr int slots = 1;
    static GANGLION_INLINE Vector<T> change(Settings<T> s, Vector<T> g, Vector<T>* slot) {
        slot[0] += g * g;
        return g * s.rate / (square_root(slot[0]) + s.epsilon);
    }
};

template <class T>
struct Adam {
    static constexpr int slots = 2;
    static GANGLION_INLINE Vector<T> change(Settings<T> s, Vector<T> g, Vector<T>* slot) {
        slot[0] = slot[0] * s.first + g * s.first_rest;
        slot[1] = slot[1] * s.second + g * g * s.second_rest;
        return slot[0] * s.scale / (square_root(slot[1]) * s.divide + s.epsilon);
    }
};

template <class T>
struct Lion {
    static constexpr int slots = 1;
    static GANGLION_INLINE Vector<T> change(Settings<T> s, Vector<T> g, Vector<T>* slot) {
        const Vector<T> mix = slot[0] * s.first + g * s.first_rest;
        slot[0] = slot[0] * s.second + g * s.second_rest;
        return mix > T(0) ? broadcast<T>(s.rate) : (mix < T(0) ? broadcast<T>(-s.rate) : mix);
    }
};

// A kind of optimizer: its settings, their values for one update, and the rule that they select.
struct SGDKind {
    static constexpr const char* name = "sgd";
    static constexpr Names settings = {{"momentum", "nesterov"}};
    enum { momentum, nesterov };

    template <class T>
    static Settings<T> of(const Optimizer& optimizer, double rate, uint64_t) {
        return plain<T>(rate, optimizer.settings[momentum], 0, 0);
    }
    template <class T, class Body>
    static GANGLION_INLINE void with(const Optimizer& optimizer, Body body) {
        if (optimizer.settings[nesterov] != 0) body(Nesterov<T>{});
        else if (optimizer.settings[momentum] != 0) body(Momentum<T>{});
        else body(SGD<T>{});
    }
    // Whether no change is larger than the rate times the norm of the gradient.
    static bool is_bounded(const Optimizer& optimizer) { return optimizer.settings[momentum] == 0; }
};

struct Unbounded {
    static bool is_bounded(const Optimizer&) { return false; }
};

struct RMSpropKind : Unbounded {
    static constexpr const char* name = "rmsprop";
    static constexpr Names settings = {{"momentum", "decay", "epsilon"}};
    enum { momentum, decay, epsilon };

    template <class T>
    static Settings<T> of(const Optimizer& optimizer, double rate, uint64_t) {
        const double* own = optimizer.settings;
        return plain<T>(rate, own[momentum], own[decay], own[epsilon]);
    }
    template <class T, class Body>
    static GANGLION_INLINE void with(const Optimizer& optimizer, Body body) {
        if (optimizer.settings[momentum] != 0) body(RMSpropMomentum<T>{});
        else body(RMSprop<T>{});
    }
};

struct AdagradKind : Unbounded {
    static constexpr const char* name = "adagrad";
    static constexpr Names settings = {{"epsilon"}};

    template <class T>
    static Settings<T> of(const Optimizer& optimizer, double rate, uint64_t) {
        return plain<T>(rate, 0, 0, optimizer.settings[0]);
    }
    template <class T, class Body>
    static GANGLION_INLINE void with(const Optimizer&, Body body) {
        body(Adagrad<T>{});
    }
};

struct AdamKind : Unbounded {
    static constexpr const char* name = "adam";
    static constexpr Names settings = {{"beta_1", "beta_2", "epsilon", "epsilon_hat"}};
    enum { beta_1, beta_2, epsilon, epsilon_hat };

    template <class T>
    static Settings<T> of(const Optimizer& optimizer, double rate, uint64_t update) {
        const double *own = optimizer.settings, t = static_cast<double>(update);
        Settings<T> found = plain<T>(rate, own[beta_1], own[beta_2], own[epsilon]);
        const double root = __builtin_sqrt(1 - __builtin_pow(own[beta_2], t)),
                     scale = rate / (1 - __builtin_pow(own[beta_1], t));
        const bool hat = own[epsilon_hat] != 0;
        found.divide = hat ? T(1) : T(1 / root);
        found.scale = hat ? T(scale * root) : T(scale);
        return found;
    }
    template <class T, class Body>
    static GANGLION_INLINE void with(const Optimizer&, Body body) {
        body(Adam<T>{});
    }
};

struct AdamWKind : AdamKind {  // weight decay is the same for all optimizers
    static constexpr const char* name = "adamw";
};

struct LionKind : Unbounded {
    static constexpr const char* name = "lion";
    static constexpr Names settings = {{"beta_1", "beta_2"}};

    template <class T>
    static Settings<T> of(const Optimizer& optimizer, double rate, uint64_t) {
        return plain<T>(rate, optimizer.settings[0], optimizer.settings[1], 0);
    }
    template <class T, class Body>
    static GANGLION_INLINE void with(const Optimizer&, Body body) {
        body(Lion<T>{});
    }
};

using Optimizers = List<SGDKind, RMSpropKind, AdagradKind, AdamKind, AdamWKind, LionKind>;

template <class T>
Settings<T> settings_of(const Optimizer& optimizer, double rate, uint64_t update) {
    Settings<T> found = {};
    with_kind(Optimizers{}, optimizer.kind,
              [&](auto kind) { found = kind.template of<T>(optimizer, rate, update); });
    return found;
}

inline bool is_bounded(const Optimizer& optimizer) {
    bool answer = false;
    with_kind(Optimizers{}, optimizer.kind, [&](auto kind) { answer = kind.is_bounded(optimizer); });
    return answer;
}

template <class T, class Body>
GANGLION_INLINE void with_optimizer(const Optimizer& optimizer, Body body) {
    with_kind(Optimizers{}, optimizer.kind, [&](auto kind) { kind.template with<T>(optimizer, body); });
}

// Some parameters, and their gradient: `copies` of it, one for each group. They lie together from `start`, or
// are rows of a table that starts there, of `units` numbers each.
template <class T>
struct Slice {
    size_t start, count;
    T* gradient;
    size_t copies;
    bool penalized;
    const size_t* rows;  // null if they lie together
    size_t units;
};

// Calls body(where parameters begin, their gradient, how many) for each piece of a slice that lies together.
// Those pieces of `parameters` are fetched ahead.
template <class T, class Body>
GANGLION_INLINE void each_piece(const Slice<T>& slice, const T* parameters, Body body) {
    if (!slice.rows) return body(slice.start, slice.gradient, slice.count);
    for (size_t at = 0, i = 0; at < slice.count; at += slice.units, ++i) {
        if (at + AHEAD * slice.units < slice.count)
            fetch(parameters + slice.start + slice.rows[i + AHEAD] * slice.units, slice.units);
        body(slice.start + slice.rows[i] * slice.units, slice.gradient + at, slice.units);
    }
}

// Updates a slice: parameters -= change(gradient * clip) + decay * parameters. Overwrites the gradient with
// the old parameters. Returns whether all new parameters are finite.
template <class T>
bool update(const Optimizer& optimizer, Settings<T> settings, T clip, T decay, const Slice<T>& slice,
            T* parameters, T* const* slot) {
    Vector<T> spoiled[4] = {};
    with_optimizer<T>(optimizer, [&](auto chosen) {
        const auto change = [&](size_t at, T* gradient, auto part, size_t n) {
            Vector<T> slots[2] = {};
            if constexpr (chosen.slots > 0) slots[0] = load(slot[0] + at, part);
            if constexpr (chosen.slots > 1) slots[1] = load(slot[1] + at, part);
            const Vector<T> before = load(parameters + at, part);
            const Vector<T> less = chosen.change(settings, load(gradient, part) * clip, slots);
            const Vector<T> after = before - (less + before * decay);
            if constexpr (chosen.slots > 0) store(slot[0] + at, slots[0], part);
            if constexpr (chosen.slots > 1) store(slot[1] + at, slots[1], part);
            store(gradient, before, part);
            store(parameters + at, after, part);
            spoiled[n] += masked<T>(after - after, part, T(0));  // 0 for a finite number, else NaN
        };
        if (slice.rows)
            each_piece(slice, parameters, [&](size_t start, T* gradient, size_t count) {
                sweep_row<T>(count, [&](size_t i, auto part) {
                    change(start + i, gradient + i, part, i / lanes<T> % 4);
                });
            });
        else
            sweep_by_4<T>(slice.count, [&](size_t i, auto part, size_t n) {
                change(slice.start + i, slice.gradient + i, part, n);
            });
    });
    return sum<T>(spoiled[0] + spoiled[1] + spoiled[2] + spoiled[3]) == T(0);
}

// The same for plain SGD if it is known in advance that all parameters remain finite.
template <class T>
void update_safely(Settings<T> settings, T clip, T decay, const Slice<T>& slice, T* parameters) {
    each_piece(slice, parameters, [&](size_t start, const T* gradient, size_t count) {
        sweep<T>(count, [&](size_t i, auto part) {
            const Vector<T> before = load(parameters + start + i, part);
            store(parameters + start + i,
                  before - (load(gradient + i, part) * clip * settings.rate + before * decay), part);
        });
    });
}

}  // namespace ganglion::GANGLION_ISA
