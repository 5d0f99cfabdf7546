// The pool of threads that shares the work of one run at a time.
#pragma once

#include <cstddef>

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

}  // namespace ganglion
