// What a network, a loss, an optimizer and a run are, in plain data: what Python hands over, and what the
// engine of every instruction set reads. One row's numbers lie together; `features` is the last axis.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ganglion {

using std::size_t;

// The orders of these lists are those of the tables in engines/native.py.
enum class ActivationKind : int {
    identity,
    sigmoid,
    tanh,
    relu,
    leaky_relu,
    elu,
    selu,
    gelu,
    gelu_tanh,
    silu,
    mish,
    softplus,
    hard_sigmoid,
    exp,
    softmax,
    log_softmax,
};
enum class LayerKind : int { dense, activate, dropout, batch_normalization, layer_normalization };
enum class LossKind : int {
    mse,
    mae,
    huber,
    log_cosh,
    binary_cross_entropy,
    cross_entropy,
    poisson,
    quantile,
    hinge,
};
enum class OptimizerKind : int { sgd, rmsprop, adagrad, adam, lion };

struct Activation {
    ActivationKind kind;
    double setting;  // slope or alpha
};

struct Layer {
    LayerKind kind;
    size_t place;              // among the layers of the architecture, for its randomness
    size_t inputs, outputs;    // numbers for each row
    size_t features;           // the last axis of its inputs
    size_t parameters, state;  // where its own begin in the flat vectors
    Activation activation;
    double rate, epsilon;  // dropout's rate, or a normalization's momentum; its epsilon
};

struct Segment {  // of the flat vector of parameters: one named array
    size_t start, stop, columns;
    bool penalized;
};

struct Network {
    const Layer* layers;
    size_t count;
    const Segment* segments;
    size_t segment_count;
    size_t inputs, outputs, features;  // numbers for each row; the last axis of the outputs
    size_t parameters, state;
};

struct Loss {
    LossKind kind;
    double setting;  // delta, label smoothing or quantile
    double factor;   // what it is multiplied by
    double clip;     // how near to 0 and 1 the shares may come whose logarithm is taken from z; 0 for any
    bool from_z;     // the last activation is its partner: it works from the pre-activation
};

struct Optimizer {
    OptimizerKind kind;
    bool variant;                             // SGD: Nesterov's; Adam: epsilon is not corrected
    double first, second, epsilon;            // momentum; decay; beta_1, beta_2
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

// The arrays of a call. Those that a call does not use are null.
struct Run {
    const void *x, *y, *weight;  // rows, targets, sample weights (null: all 1)
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
    size_t (*predict)(const Network&, const Run&, size_t rows, void* a, void* losses, bool* finite);
    size_t (*gradient)(const Network&, Run&, void* gradient, double* loss, double* penalty);
    size_t (*train)(const Network&, Run&);
    void (*function)(int which, size_t count, const void* x,
                     void* result);  // exp, tanh, sigmoid: to be tested
};

struct Engine {
    const char* name;
    Functions of_float, of_double;
};

}  // namespace ganglion
