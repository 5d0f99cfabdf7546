// Networks, losses, optimizers and runs as plain data, which Python passes and the engines of all instruction
// sets read. The numbers of one row are contiguous; the last axis varies fastest.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kinds.hpp"

namespace ganglion {

struct ActivationSection;

struct Activation {
    int kind;
    double setting;  // slope or alpha
    const ActivationSection* sections = nullptr;
    size_t section_count = 0;
};

struct ActivationSection {  // one of an activation that divides the columns
    Activation activation;
    size_t columns;
};

struct Shape {
    size_t axes;
    const size_t* sizes;

    size_t operator[](size_t axis) const { return sizes[axis]; }
};

// Where a step puts the gradient with respect to one value that it reads.
struct Return {
    bool wanted;  // whether the value depends on a parameter
    bool adds;    // whether another step has already written its part
    size_t slot, scratch;
};

// A step reads numbered values and writes one.
struct Step {
    int kind;
    double settings[MOST_SETTINGS];
    const double* constants;  // further numbers of the layer, as many as it has
    Activation activation;
    uint64_t stream;  // the number of its random stream
    size_t read_count, writes;
    const size_t* reads;
    const Shape* shapes;                 // of one row of each value that it reads
    Shape shape;                         // of one row of what it writes
    size_t inputs;                       // numbers in a row of the first value that it reads
    size_t features;                     // its last axis
    size_t outputs;                      // numbers in a row of what it writes
    size_t columns;                      // its last axis
    size_t parameters, state, gradient;  // where its arrays begin in the flat vectors and in the gradients
    bool learns;                         // whether it has parameters
    // The plan of the backward pass.
    bool goes_back;         // whether what it writes depends on a parameter
    bool derivative_taken;  // the step that reads its output applies its activation's derivative
    int before;             // the step whose activation's derivative this one applies, -1 for none
    size_t slot;            // of the gradient with respect to its output
    const Return* returns;
};

struct Segment {  // one named array in the flat vector of parameters
    size_t start, stop, columns;
    bool penalized, row_sparse;
};

enum class Holds : int { numbers, integers, bags };

struct Input {
    Holds holds;
    size_t width;       // values in a row; 0 for bags
    size_t categories;  // integers are below this
};

// What follows from the steps, worked out once.
struct Facts {
    double work;          // operations of the forward pass of one row
    double large_work;    // those of products with weights so large that threads may share them
    size_t rows_at_once;  // that go through together, by the memory that they need
    bool uses_batch,
        products;  // whether a step looks at the whole batch; whether all that learn are products
};

struct Network {
    const Input* inputs;
    size_t input_count;
    const Step* steps;
    size_t count;
    const Segment* segments;
    size_t segment_count;
    size_t outputs, columns;  // numbers in a row of the outputs; their last axis
    size_t parameters, state;
    size_t gradients;  // length of a gradient without row-sparse arrays
    size_t slots;      // of gradients in the backward pass
    size_t most_reads;
    Facts facts;
};

struct LossSection;

struct Loss {
    int kind;
    double settings[MOST_SETTINGS];
    bool from_z;  // the last activation is its partner: it is computed from the pre-activation
    const LossSection* sections = nullptr;  // of a joint loss
    size_t section_count = 0;
};

struct LossSection {  // one loss of a joint loss, and its number of outputs
    Loss loss;
    size_t columns;
};

struct Optimizer {
    int kind;
    double settings[MOST_SETTINGS];
    double weight_decay, clip_norm, average;  // 0 for none
};

struct Regularization {
    double l1, l2, max_norm;  // 0 for none
    bool per_row;             // l1 and l2 are divided by the total sample weight of the batch
};

enum class Failure : int { none, loss, gradient, weight };

// The pool of threads. Their number does not affect the results.
struct Team {
    virtual size_t size() const = 0;
    virtual void run(size_t pieces, void (*work)(void* context, size_t piece, size_t worker),
                     void* context) = 0;

protected:
    ~Team() = default;
};

// The rows of one input: numbers of the network's type, int64, or the indices of bags. Bags also have offsets
// (the place of each row's first index, and the end) and weights of the indices (null: all 1).
struct Column {
    const void* at;
    const int64_t* offsets;
    const void* weights;
};

// The arrays of a call; those that it does not use are null.
struct Run {
    const Column* x;
    const void *y, *sample_weight;  // targets, sample weights (null: all 1)
    void *parameters, *state, *mean;
    void* slots[2];
    const int64_t* order;
    size_t order_size, batch_size, steps;
    const double* rates;
    Loss loss;
    Optimizer optimizer;
    Regularization regularization;
    uint64_t seed, step, update;         // the last two are advanced
    double *losses, *penalties, *norms;  // of each step
    size_t done;                         // steps completed
    Failure failure;
    Team* team;
    char* arena;  // null: only count the bytes needed
};

struct Functions {  // of one engine and one type of number
    Facts (*facts)(const Network&);
    size_t (*predict)(const Network&, const Run&, size_t rows, void* a, void* losses, bool* finite);
    size_t (*gradient)(const Network&, Run&, void* gradient, double* loss, double* penalty);
    size_t (*train)(const Network&, Run&);
    void (*function)(int which, size_t count, const void* x,
                     void* result);  // exp, tanh or sigmoid, for tests
};

struct KindTable {  // the kinds of one list
    const Kind* kinds;
    int size;
};

struct Engine {
    const char* name;
    Functions of_float, of_double;
    KindTable layers, activations, losses, optimizers;
};

}  // namespace ganglion
