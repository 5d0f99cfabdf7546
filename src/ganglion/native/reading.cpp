// The description of a network, and the plan of its backward pass.
#include "reading.hpp"

#include <nanobind/stl/string.h>

#include <algorithm>

namespace ganglion {

Description::Description(const nb::list& inputs, const nb::list& steps, const nb::list& segments,
                         size_t state) {
    for (nb::handle each : inputs) {
        const nb::dict input = nb::cast<nb::dict>(each);
        const std::string holds = read<std::string>(input, "holds");
        const Holds kind = holds == "numbers"    ? Holds::numbers
                           : holds == "integers" ? Holds::integers
                                                 : Holds::bags;
        inputs_.push_back({kind, read<size_t>(input, "width"), read<size_t>(input, "categories")});
    }
    for (nb::handle each : segments) {
        const nb::dict segment = nb::cast<nb::dict>(each);
        segments_.push_back({read<size_t>(segment, "start"), read<size_t>(segment, "stop"),
                             read<size_t>(segment, "columns"), read<bool>(segment, "penalized"),
                             read<bool>(segment, "row_sparse")});
    }
    for (nb::handle each : steps) read_step(nb::cast<nb::dict>(each));
    if (steps_.empty()) throw nb::value_error("a network must have a step");
    network_.inputs = inputs_.data();
    network_.input_count = inputs_.size();
    network_.steps = steps_.data();
    network_.count = steps_.size();
    network_.segments = segments_.data();
    network_.segment_count = segments_.size();
    network_.outputs = steps_.back().outputs;
    network_.columns = steps_.back().columns;
    network_.state = state;
    plan();
}

Shape Description::keep(const nb::list& sizes) {
    std::vector<size_t>& kept = numbers_.emplace_back();
    for (nb::handle size : sizes) kept.push_back(nb::cast<size_t>(size));
    return {kept.size(), kept.data()};
}

size_t numbers_in(Shape shape) {
    size_t count = 1;
    for (size_t axis = 0; axis < shape.axes; ++axis) count *= shape[axis];
    return count;
}

Activation Description::read_activation(const nb::dict& from, size_t columns) {
    double settings[MOST_SETTINGS] = {};
    Activation activation = {};
    activation.kind = read_kind(from, chosen->activations, settings);
    activation.setting = settings[0];
    if (!from.contains("sections")) return activation;
    std::vector<ActivationSection>& sections = sections_.emplace_back();
    for (nb::handle each : read<nb::list>(from, "sections")) {
        const nb::dict section = nb::cast<nb::dict>(each);
        const size_t own = read<size_t>(section, "columns");
        if (section.contains("sections") || own > columns)
            throw nb::value_error("the sections must cover the columns");
        sections.push_back({read_activation(section, own), own});
        columns -= own;
    }
    if (columns || sections.empty()) throw nb::value_error("the sections must cover the columns");
    activation.sections = sections.data();
    activation.section_count = sections.size();
    return activation;
}

void Description::read_step(const nb::dict& from) {
    Step step = {};
    step.kind = read_kind(from, chosen->layers, step.settings);
    std::vector<double>& constants = constants_.emplace_back();
    for (nb::handle constant : read<nb::list>(from, "constants"))
        constants.push_back(nb::cast<double>(constant));
    step.constants = constants.data();
    step.stream = read<uint64_t>(from, "stream");
    step.writes = read<size_t>(from, "writes");
    const Shape reads = keep(read<nb::list>(from, "reads"));
    step.read_count = reads.axes;
    step.reads = reads.sizes;
    std::vector<Shape>& shapes = shapes_.emplace_back();
    for (nb::handle shape : read<nb::list>(from, "shapes")) shapes.push_back(keep(nb::cast<nb::list>(shape)));
    step.shapes = shapes.data();
    step.shape = keep(read<nb::list>(from, "shape"));
    const size_t values = inputs_.size() + steps_.size();
    if (step.writes != values || !step.read_count || shapes.size() != step.read_count)
        throw nb::value_error("steps must read existing values and write the next one");
    for (size_t k = 0; k < step.read_count; ++k)
        if (step.reads[k] >= values)
            throw nb::value_error("steps must read existing values and write the next one");
    const auto last = [](Shape shape) { return shape.axes ? shape[shape.axes - 1] : 1; };
    step.inputs = numbers_in(step.shapes[0]);
    step.features = last(step.shapes[0]);
    step.outputs = numbers_in(step.shape);
    step.columns = last(step.shape);
    step.activation = read_activation(read<nb::dict>(from, "activation"), step.columns);
    step.parameters = read<size_t>(from, "parameters");
    step.state = read<size_t>(from, "state");
    step.learns = read<bool>(from, "learns");
    steps_.push_back(step);
}

// Assigns gradients to as few slots as possible. The gradient of a value occupies a slot from when the last
// step that reads the value writes its part until the step that wrote the value has run backward.
void Description::plan() {
    const size_t first = inputs_.size(), count = steps_.size();
    std::vector<size_t> readers(first + count, 0), slot(first + count, 0);
    std::vector<bool> learned(first + count, false), placed(first + count, false);
    for (Step& step : steps_) {
        bool any = step.learns;
        for (size_t k = 0; k < step.read_count; ++k) {
            readers[step.reads[k]] += 1;
            any = any || learned[step.reads[k]];
        }
        learned[step.writes] = step.goes_back = any;
        step.before = -1;
        network_.most_reads = std::max(network_.most_reads, step.read_count);
    }
    std::vector<bool> used;
    const auto take = [&] {
        const size_t free = std::find(used.begin(), used.end(), false) - used.begin();
        if (free == used.size()) used.push_back(true);
        used[free] = true;
        return free;
    };
    slot[first + count - 1] = take();
    for (size_t i = count; i-- > 0;) {
        Step& step = steps_[i];
        const Kind& kind = chosen->layers.kinds[step.kind];
        std::vector<Return>& returns = returns_.emplace_back(step.read_count);
        step.returns = returns.data();
        step.slot = slot[step.writes];
        bool handed_on = false;
        std::vector<size_t> scratches;
        for (size_t k = 0; step.goes_back && k < step.read_count; ++k) {
            const size_t value = step.reads[k];
            Return& back = returns[k];
            back.wanted = learned[value];
            if (!back.wanted) continue;
            back.adds = placed[value];
            if (back.adds) {
                back.scratch = take();
                scratches.push_back(back.scratch);
            } else if (kind.in_place && k == 0) {
                slot[value] = step.slot;
                handed_on = true;
            } else {
                slot[value] = take();
            }
            placed[value] = true;
            back.slot = slot[value];
        }
        for (size_t scratch : scratches) used[scratch] = false;
        if (step.goes_back && !handed_on) used[step.slot] = false;
        // The derivative of the preceding activation, if this step alone reads its output.
        const size_t value = step.reads[0];
        if (kind.takes_derivative && returns[0].wanted && value >= first && readers[value] == 1) {
            Step& before = steps_[value - first];
            if (!chosen->activations.kinds[before.activation.kind].row_wise) {
                before.derivative_taken = true;
                step.before = static_cast<int>(value - first);
            }
        }
    }
    network_.slots = std::max<size_t>(used.size(), 2);
    for (const Segment& segment : segments_) {
        network_.parameters = segment.stop;
        if (!segment.row_sparse) network_.gradients += segment.stop - segment.start;
    }
    for (Step& step : steps_) {
        step.gradient = step.parameters;
        for (const Segment& segment : segments_)
            if (segment.row_sparse && segment.start < step.parameters)
                step.gradient -= segment.stop - segment.start;
    }
}

}  // namespace ganglion
