// Converts the description of a network, a loss or an optimizer from Python to plain data; unknown names are
// rejected. Also plans the backward pass: which gradients are needed, and where each is stored.
#pragma once

#include <nanobind/nanobind.h>

#include <deque>
#include <string>
#include <vector>

#include "description.hpp"

namespace ganglion {

namespace nb = nanobind;

extern const Engine* chosen;

template <class Value>
Value read(const nb::dict& from, const char* name) {
    PyObject* found = PyDict_GetItemString(from.ptr(), name);  // borrowed
    if (!found) throw nb::value_error((std::string(name) + " is missing").c_str());
    return nb::cast<Value>(nb::handle(found));
}

// The index of a kind; writes its settings in order.
inline int read_kind(const nb::dict& part, const KindTable& table, double* settings) {
    const std::string name = read<std::string>(part, "kind");
    const nb::dict given = read<nb::dict>(part, "settings");
    for (int i = 0; i < table.size; ++i) {
        const Kind& kind = table.kinds[i];
        if (name != kind.name) continue;
        size_t count = 0;
        for (; kind.settings.at[count]; ++count)
            settings[count] = read<double>(given, kind.settings.at[count]);
        if (count != given.size())
            throw nb::value_error((name + " has a setting unknown to the engine").c_str());
        return i;
    }
    throw nb::value_error(("the engine does not have " + name).c_str());
}

// `sections` holds those of a joint loss, and must live as long as the loss. `outputs` are the network's.
inline Loss read_loss(const nb::dict& from, size_t outputs, std::vector<LossSection>& sections) {
    Loss loss = {};
    loss.kind = read_kind(from, chosen->losses, loss.settings);
    loss.from_z = read<bool>(from, "from_z");
    if (!from.contains("sections")) return loss;
    sections.clear();
    size_t columns = 0;
    for (nb::handle each : read<nb::list>(from, "sections")) {
        const nb::dict section = nb::cast<nb::dict>(each);
        std::vector<LossSection> inner;
        sections.push_back({read_loss(section, 0, inner), read<size_t>(section, "columns")});
        columns += sections.back().columns;
        if (!inner.empty()) throw nb::value_error("a section must not have a joint loss");
    }
    if (columns != outputs) throw nb::value_error("the sections must cover the outputs");
    loss.sections = sections.data();
    loss.section_count = sections.size();
    return loss;
}

inline Optimizer read_optimizer(const nb::dict& from) {
    Optimizer optimizer = {};
    optimizer.kind = read_kind(from, chosen->optimizers, optimizer.settings);
    optimizer.weight_decay = read<double>(from, "weight_decay");
    optimizer.clip_norm = read<double>(from, "clip_norm");
    optimizer.average = read<double>(from, "average");
    return optimizer;
}

inline Regularization read_regularization(const nb::dict& from) {
    return {read<double>(from, "l1"), read<double>(from, "l2"), read<double>(from, "max_norm"),
            read<bool>(from, "per_row")};
}

// A network as plain data, and the memory that it refers to.
class Description {
public:
    Description(const nb::list& inputs, const nb::list& steps, const nb::list& segments, size_t state);
    const Network& network() const { return network_; }
    void set_facts(const Facts& facts) { network_.facts = facts; }

private:
    void read_step(const nb::dict& from);
    Activation read_activation(const nb::dict& from, size_t columns);
    void plan();
    Shape keep(const nb::list& sizes);

    std::vector<Input> inputs_;
    std::vector<Step> steps_;
    std::vector<Segment> segments_;
    std::deque<std::vector<size_t>> numbers_;
    std::deque<std::vector<double>> constants_;
    std::deque<std::vector<Shape>> shapes_;
    std::deque<std::vector<Return>> returns_;
    std::deque<std::vector<ActivationSection>> sections_;
    Network network_ = {};
};

}  // namespace ganglion
