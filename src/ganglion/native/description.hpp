// What a network, a loss, an optimizer and a run are, in plain data: what Python hands over, and what the
// engine of every instruction set reads. One row's numbers lie together; the last axis is the fastest.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kinds.hpp"

namespace ganglion {

struct Activation {
    int kind;
    double setting;  // slope or alpha
};

struct Shape {
    size_t axes;
    const size_t* sizes;

    size_t operator[](size_t axis) const { return sizes[axis]; }
};

// What becomes of the gradient with respect to one value that a step reads.
struct Return {
    bool wanted;  // whether the value depends on a parameter
    bool adds;    // whether another step has left its part already
    size_t slot, scratch;
};

// A step reads numbered values and writes one.
struct Step {
    int kind;
    double settings[MOST_SETTINGS];
    Activation activation;
    uint64_t stream;  // sets its random choices apart
    size_t read_count, writes;
    const size_t* reads;
    const Shape* shapes;                 // of one row of each value that it reads
    Shape shape;                         // of one row of what it writes
    size_t inputs;                       // numbers in a row of the first value that it reads
    size_t features;                     // its last axis
    size_t outputs;                      // numbers in a row of what it writes
    size_t columns;                      // its last axis
    size_t parameters, state, gradient;  // where its own begin in the flat vectors, and in those of gradients
    bool learns;                         // whether it has parameters
    // The plan of the backward pass.
    bool goes_back;         // whether what it writes depends on a parameter
    bool derivative_taken;  // the step that reads it takes the derivative of its activation
    int before;             // the step whose activation's derivative this one takes, -1 for none
    size_t slot;            // where the gradient with respect to what it writes is
    const Return* returns;
};

struct Segment {  // of the flat vector of parameters: one named array
    size_t start, stop, columns;
    bool penalized, row_sparse;
};

enum class Holds : int { numbers, integers, bags };

struct Input {
    Holds holds;
    size_t width;       // values in a row; 0 for bags
    size_t categories;  // whole numbers are below
};

// What follows from the steps, worked out once.
struct Facts {
    double work;          // operations of the forward pass of one row
    size_t largest;       // numbers of the largest weight whose product threads may share
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
    size_t gradients;  // numbers of a gradient, without those of row-sparse arrays
    size_t slots;      // of gradients on their way back
    size_t most_reads;
    Facts facts;
};

struct Loss {
    int kind;
    double settings[MOST_SETTINGS];
    bool from_z;  // the last activation is its partner: it works from the pre-activation
};

struct Optimizer {
    int kind;
    double settings[MOST_SETTINGS];
    double weight_decay, clip_norm, average;  // 0 for none
};

struct Regularization {
    double l1, l2, max_norm;  // 0 for none
    bool per_row;             // l1 and l2 are divided by the weight of the batch
};

enum class Failure : int { none, loss, gradient, weight };

// The pool of threads. Whatever their number, the same pieces of work give the same bits.
struct Team {
    virtual size_t size() const = 0;
    virtual void run(size_t pieces, void (*work)(void* context, size_t piece, size_t worker),
                     void* context) = 0;

protected:
    ~Team() = default;
};

// The rows of one input: numbers of the network's type, int64, or the indices of bags with the place of each
// row's first one, and one more; `weights` (null: all 1) belong to the indices.
struct Column {
    const void* at;
    const int64_t* offsets;
    const void* weights;
};

// The arrays of a call. Those that a call does not use are null.
struct Run {
    const Column* x;
    const void *y, *weight;  // targets, sample weights (null: all 1)
    void *parameters, *state, *mean;
    void* slots[2];
    const int64_t* order;
    size_t order_size, batch_size, steps;
    const double* rates;
    Loss loss;
    Optimizer optimizer;
    Regularization regularization;
    uint64_t seed, step, update;         // the last two go on counting
    double *losses, *penalties, *norms;  // of each step
    size_t done;                         // steps completed
    Failure failure;
    Team* team;
    char* arena;  // null: only count the bytes that would be needed
};

struct Functions {  // of one engine and one type of number
    Facts (*facts)(const Network&);
    size_t (*predict)(const Network&, const Run&, size_t rows, void* a, void* losses, bool* finite);
    size_t (*gradient)(const Network&, Run&, void* gradient, double* loss, double* penalty);
    size_t (*train)(const Network&, Run&);
    void (*function)(int which, size_t count, const void* x,
                     void* result);  // exp, tanh, sigmoid: to be tested
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
