// The pool of threads that shares the work of one run at a time.
#pragma once

#include <cstddef>

#include "description.hpp"

namespace ganglion {

// How many threads a run may use, from now on. None is started before there is work for it.
void set_threads(std::size_t count);
std::size_t get_threads();

// Keeps all runs of the calling thread to that thread, for those who run many networks at once.
void work_alone();

// Lends the pool to one run; where another run has it, this one has its own thread only.
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
