// The pool of threads, which works on one run at a time.
#pragma once

#include <cstddef>
#include <cstdint>

#include "description.hpp"

namespace ganglion {

// Sets how many threads later runs may use. Threads start when they are first needed.
void set_threads(std::size_t count);
std::size_t get_threads();

// Limits the threads of runs started by the calling thread, 0 for no limit; returns the previous limit.
std::size_t limit_threads(std::size_t most);

// Lends a pool to one run. If another run has the pool, this one uses only the calling thread.
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

// During its lifetime, subnormal numbers count as 0 in the calling thread and its workers. In a long run, the
// weights and averages of inactive units decay to subnormal numbers, which are many times slower to process.
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
