// The pool of threads that shares the work of one run at a time.
#pragma once

#include <cstddef>
#include <cstdint>

#include "description.hpp"

namespace ganglion {

// How many threads a run may use, from now on. None is started before there is work for it.
void set_threads(std::size_t count);
std::size_t get_threads();

// Lets the runs of the calling thread use no more threads than this, 0 for no limit; returns the limit
// before.
std::size_t limit_threads(std::size_t most);

// Lends a pool to one run; where another run has it, this one has its own thread only.
class Loan {
public:
    Loan();
    ~Loan();
    Loan(const Loan&) = delete;
    Loan& operator=(const Loan&) = delete;
    Team* team() const { return team_; }

private:
    Team* team_;
    bool borrowed_;
};

// While it lives, numbers too small to be normal count as 0 in the calling thread and in those that work for
// it. The weights and averages of units that never fire decay to such numbers in a long run, and a processor
// takes many times as long over each.
class Flush {
public:
    Flush();
    ~Flush();
    Flush(const Flush&) = delete;
    Flush& operator=(const Flush&) = delete;

private:
    std::uint64_t before_;
};

}  // namespace ganglion
